"""A dashboard as its author writes it: variables, rows, panels, queries."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WIDTH: Final = 24
"""Columns of Grafana's grid."""

API: Final = "http://localhost:8080"
"""Where the web page of jobs is on one machine; the chart puts another address in its place."""

GRAFANA: Final = "http://localhost:3000"
"""Where Grafana is on one machine; the chart puts another address in its place."""

RUNBOOKS_PANEL: Final = 999
RUNBOOKS: Final = f"{GRAFANA}/d/vppo-overview?viewPanel={RUNBOOKS_PANEL}"
"""Where runbooks are read, if nowhere else; `#ALERT` is appended."""


class Show(StrEnum):
    """How a panel draws."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    TIMELINE = "state-timeline"
    HEAT = "heatmap"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression of a panel."""

    expression: str
    legend: str = ""  # `{{label}}` is filled in
    is_instant: bool = False  # the last value alone, for tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From this value on, this colour."""

    value: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture. Its place follows from its width and its neighbours."""

    title: str
    description: str  # what it means, and where to look next
    unit: str = "short"
    queries: tuple[Query, ...] = ()
    show: Show = Show.LINES
    width: int = 8
    height: int = 8
    thresholds: tuple[Threshold, ...] = ()
    words: tuple[tuple[int, str, str], ...] = ()  # value, word, colour
    words_of: str = ""  # the column that has them; empty means all values
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    is_stacked: bool = False
    is_log: bool = False
    links: tuple[tuple[str, str], ...] = ()  # title, address
    columns: tuple[tuple[str, str, str], ...] = ()  # of a table: field, title, unit
    hidden: tuple[str, ...] = ()  # fields that a table leaves out
    text: str = ""  # markdown of a text
    number: int = 0  # for links to it; otherwise that of its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A choice of the reader: values of a label."""

    name: str
    title: str
    label: str  # whose values
    of: str  # selector
    is_multi: bool = True
    has_all: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Moments that all panels show."""

    name: str
    expression: str
    title: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One page."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    marks: tuple[Mark, ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # title, address

    @property
    def file(self) -> str:
        """Name of the printed file."""
        return f"{self.uid.removeprefix('vppo-')}.json"

    def panels(self) -> Iterator[Panel]:
        """All panels in reading order."""
        for row in self.rows:
            yield from row.panels


def lines(expression: str, legend: str = "") -> tuple[Query, ...]:
    """The queries of a panel that has one."""
    return (Query(expression=expression, legend=legend),)
