"""What the page draws is in the catalogue: a curve of a name that nobody measures stays empty."""

import re
from pathlib import Path

import pytest

import vppo_services.web
from vppo_core.catalogue import METRICS, STAGES

VIEWS = Path(vppo_services.web.__file__).parent / "static" / "views"
_DRAWN = re.compile(r'(?:line|latest|area)\(steps, "([a-z0-9_]+)"|\bmetrics\.([a-z0-9_]+)\b')


def drawn(name: str) -> set[str]:
    """Keys of metrics in a module of the page."""
    found = _DRAWN.findall((VIEWS / name).read_text(encoding="utf-8"))
    return {drawn or read for drawn, read in found}


@pytest.mark.parametrize(
    ("module", "least"), [("figures.js", 7), ("checkpoints.js", 2)], ids=["curves", "checkpoints"]
)
def test_every_name_of_the_page_is_catalogued(module: str, least: int) -> None:
    names = drawn(module)
    assert len(names) >= least, "the pattern finds them"
    assert names <= set(METRICS)


def test_the_page_draws_every_stage() -> None:
    text = (VIEWS / "figures.js").read_text(encoding="utf-8")
    [stages] = re.findall(r"const STAGES = \[(.*?)\];", text)
    assert tuple(re.findall(r'"(\w+)"', stages)) == STAGES
