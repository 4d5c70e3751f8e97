"""PromQL as Prometheus reads it: macros replaced, parsed, taken apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import promql_parser

from vppo_core.catalogue import EVERY, Kind
from vppo_core.dashboards.foreign import FOREIGN

BUILT_IN: Final = {"up", "ALERTS"}
"""Made by Prometheus itself."""

_MACROS: Final = (
    (r"\$__rate_interval", "5m"),
    (r"\$__interval", "1m"),
    (r"\$__range", "1h"),
    (r"\$\{[a-z_]+(:[a-z]+)?\}", ".*"),
    (r"\$[a-z_]+", ".*"),
)
_PARTS: Final = ("args", "expr", "lhs", "rhs", "param", "vector_selector")
_SUFFIXES: Final = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
_RANGES: Final = {"rate", "irate", "increase", "delta", "resets"}


def known_series() -> dict[str, Kind]:
    """Every name that an expression may hold, and what kind it is."""
    known = dict.fromkeys(BUILT_IN, Kind.GAUGE)
    entries = [(one.series, one.kind) for one in EVERY.values()]
    entries += [(one.name, one.kind) for one in FOREIGN.values()]
    for name, kind in entries:
        for suffix in _SUFFIXES.get(kind, ("",)):
            known[name + suffix] = Kind.COUNTER if suffix else kind
    return known


def plain(expression: str, macros: dict[str, str] | None = None) -> str:
    """Without Grafana's macros and variables."""
    for name, value in (macros or {}).items():
        expression = expression.replace(name, value)
    for pattern, value in _MACROS:
        expression = re.sub(pattern, value, expression)
    return expression


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector of an expression, and the functions around it."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]  # label, operator, value
    around: tuple[str, ...]
    text: str

    @property
    def labels(self) -> set[str]:
        return {label for label, _, _ in self.matchers}

    @property
    def is_counted(self) -> bool:
        """Whether its growth is looked at, not its value."""
        return bool(_RANGES & set(self.around))


def selectors(expression: str) -> list[Selector]:
    """All selectors of an expression without macros.

    Raises:
        ValueError: not PromQL.
    """
    return list(_walk(promql_parser.parse(expression), ()))


def _walk(node: Any, around: tuple[str, ...]) -> Iterator[Selector]:
    if isinstance(node, promql_parser.VectorSelector):
        matchers = tuple((m.name, str(m.op), m.value) for m in node.matchers.matchers)
        yield Selector(node.name, matchers, around, f"{node.name}{_braces(node)}")
        return
    if isinstance(node, promql_parser.Call):
        around = (*around, node.func.name)
    for part in _PARTS:
        child = getattr(node, part, None)
        for one in child if isinstance(child, list | tuple) else [child]:
            if one is not None and not isinstance(one, str):
                yield from _walk(one, around)


def _braces(node: Any) -> str:
    text = ", ".join(str(matcher) for matcher in node.matchers.matchers)
    return f"{{{text}}}" if text else ""
