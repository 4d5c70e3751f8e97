"""What the command line prints: coloured on a terminal, plain and unwrapped elsewhere."""

import json
from collections.abc import Iterable
from typing import Any

import yaml
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", value, style="|" if "\n" in value else None
    )


_Dumper.add_representer(str, _text)


def print_ok(text: str) -> None:
    """A line of good news on the standard output."""
    Console().print(Text.assemble(("OK", "green"), "  ", text), soft_wrap=True)


def print_problems(lines: Iterable[str], source: str = "") -> None:
    """A line for each problem on the standard error, led by the file it was found in."""
    console = Console(stderr=True)
    for line in lines:
        lead = f"{source}: " if source else ""
        console.print(Text.assemble((f"{lead}error: ", "red"), line), soft_wrap=True)


def print_notes(lines: Iterable[str]) -> None:
    """A line of side remarks each on the standard error, out of the way of what is piped."""
    console = Console(stderr=True)
    for line in lines:
        console.print(Text.assemble(("note: ", "yellow"), line), soft_wrap=True)


def print_document(document: dict[str, Any], language: str) -> None:
    """A mapping as `yaml` or `json` on the standard output."""
    if language == "json":
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    console = Console()
    if console.is_terminal:
        console.print(Syntax(text, language, background_color="default", word_wrap=True))
    else:
        console.file.write(text)
