"""Every expression of every dashboard and alert, asked of a Prometheus."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.dashboards.live.prometheus import Prometheus
from tests.dashboards.live.recorded import ABSENT, REASONS
from tests.dashboards.reading import plain, selectors

CHART: Final = Path(__file__).parents[3] / "charts" / "vppo"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that must find series."""

    kind: str  # panel, variable, mark, alert
    place: str  # dashboard, or group of rules
    title: str
    expressions: tuple[str, ...]

    @property
    def reasons(self) -> list[str]:
        """Why it needs recorded pages; empty when it does not."""
        found = {
            REASONS[name]
            for text in self.expressions
            for one in selectors(plain(text))
            if (name := re.sub(r"_(bucket|sum|count)$", "", one.name)) in REASONS
        }
        found |= {ABSENT[text] for text in self.expressions if text in ABSENT}
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Answer:
    """How many series each expression of a question has."""

    question: Question
    counts: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether one of them has none that should have some."""
        return any(self.missing())

    def missing(self) -> list[str]:
        """Expressions that should have series."""
        pairs = zip(self.question.expressions, self.counts, strict=True)
        return [text for text, count in pairs if not count and text not in ABSENT]


def questions(choices: Mapping[str, str], macros: Mapping[str, str]) -> Iterator[Question]:
    """All panels, variables, marks and alerts of the chart, ready to be asked.

    Args:
        choices: values of a dashboard's variables that are not `all`.
        macros: what Grafana's macros stand for.
    """
    for path in sorted(CHART.glob("dashboards/*.json")):
        yield from _of_dashboard(json.loads(path.read_text()), choices, macros)
    for group in yaml.safe_load((CHART / "rules" / "vppo.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            # The series inside: that the condition holds is what nobody wants.
            inside = tuple(dict.fromkeys(one.text for one in selectors(rule["expr"])))
            yield Question(
                kind="alert", place=group["name"], title=rule["alert"], expressions=inside
            )


def _of_dashboard(
    dashboard: Json, choices: Mapping[str, str], macros: Mapping[str, str]
) -> Iterator[Question]:
    variables = {
        one["name"]: ".+" if one["includeAll"] else choices[one["name"]]
        for one in dashboard["templating"]["list"]
        if one["type"] == "query"
    }

    def ready(text: str) -> str:
        for name, value in macros.items():
            text = text.replace(name, value)
        for name in sorted(variables, key=len, reverse=True):
            text = re.sub(rf"\${name}\b", variables[name], text)
        return text

    title = dashboard["title"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            match = re.fullmatch(r"label_values\((.*), ([a-z_]+)\)", query)
            assert match, query
            text = f"count by ({match[2]}) ({ready(match[1])})"
            yield Question(
                kind="variable", place=title, title=variable["name"], expressions=(text,)
            )
    for mark in dashboard["annotations"]["list"]:
        yield Question(
            kind="mark", place=title, title=mark["name"], expressions=(ready(mark["expr"]),)
        )
    for panel in dashboard["panels"]:
        if panel.get("targets"):
            texts = tuple(ready(target["expr"]) for target in panel["targets"])
            yield Question(kind="panel", place=title, title=panel["title"], expressions=texts)


def ask(
    server: Prometheus, asked: Sequence[Question], start: float, end: float, step: float
) -> list[Answer]:
    """The answers, in the order of the questions."""
    return [
        Answer(one, tuple(server.series(text, start, end, step) for text in one.expressions))
        for one in asked
    ]
