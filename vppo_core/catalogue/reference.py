"""References to metrics in code: `reward_mean`, or `stage_seconds{sample}` with a label's value."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Final

from vppo_core.catalogue.control import API, JOBS, OPERATOR
from vppo_core.catalogue.entry import Metric
from vppo_core.catalogue.roles import ROLES
from vppo_core.catalogue.run import RUN
from vppo_core.catalogue.signal import DISTRIBUTIONS as _DISTRIBUTIONS
from vppo_core.catalogue.signal import SIGNAL

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {entry.key: entry for entry in chain(RUN, SIGNAL)}
)
"""The metrics of a step by their short key."""

DISTRIBUTIONS: Final[Mapping[str, Metric]] = MappingProxyType(
    {entry.key: entry for entry in _DISTRIBUTIONS}
)
"""Histograms over the tokens and answers of a step by their short key."""

EVERY: Final[Mapping[str, Metric]] = MappingProxyType(
    {entry.key: entry for entry in chain(RUN, SIGNAL, _DISTRIBUTIONS, ROLES, JOBS, OPERATOR, API)}
)
"""All metrics of the project by their short key."""

_REFERENCE: Final = re.compile(r"(?P<key>[a-z0-9_]+)(?:\{(?P<labels>[A-Za-z0-9_.,-]+)\})?")


def metric(key: str) -> Metric:
    """The entry of a step's metric by its short key, without label values.

    Raises:
        LookupError: nobody catalogued the key; the message names the nearest one.
    """
    if key in METRICS:
        return METRICS[key]
    near = get_close_matches(key, METRICS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise LookupError(f"a metric must stand in vppo_core/catalogue, got {key!r}{hint}")


@lru_cache(maxsize=4096)  # each value of a step is looked up several times
def parse(reference: str) -> tuple[Metric, tuple[str, ...]]:
    """Entry and label values of a reference such as `reward_mean` or `stage_seconds{sample}`.

    Raises:
        LookupError: the key is not catalogued, or the label values are not one for each label.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise LookupError(f"a metric is written `key` or `key{{value}}`, got {reference!r}")
    entry = metric(match["key"])
    values = tuple(match["labels"].split(",")) if match["labels"] else ()
    if len(values) != len(entry.labels):
        raise LookupError(
            f"{entry.key} has the labels {list(entry.labels)}, got {reference!r}; "
            f"give one value for each"
        )
    return entry, values


def labelled(key: str, *values: str) -> str:
    """Reference to one series of a labelled metric: `labelled("stage_seconds", "sample")`."""
    return f"{key}{{{','.join(values)}}}"


def mlflow_name(reference: str) -> str:
    """MLflow key of a reference: `stage_seconds{sample}` is `time/stage_seconds/sample`."""
    entry, values = parse(reference)
    return "/".join((entry.mlflow_key, *values))
