"""Tables: drawn on a terminal, tab-separated on a pipe."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    is_number: bool = False
    """Whether it stands to the right."""

    may_wrap: bool = False
    """Whether it is long text, cut or folded when the terminal is narrow."""


def print_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]
) -> None:
    """A row for each; an empty cell is a dash, so that columns can be counted."""
    filled = [[cell if str(cell) else "-" for cell in row] for row in rows]
    if not console.is_terminal:
        titles: list[Cell] = [column.title for column in columns]
        for row in (titles, *filled):
            console.file.write("\t".join(_one_line(cell) for cell in row) + "\n")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold dim")
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=not column.may_wrap,
            overflow="fold" if column.may_wrap else "ellipsis",
        )
    for row in filled:
        # As Text: what a job says is no markup.
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console.print(table)


def _one_line(cell: Cell) -> str:
    return " ".join(str(cell).split())
