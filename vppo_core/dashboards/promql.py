"""PromQL made of catalogue entries: a metric is named by its key, and its labels are checked."""

from typing import Final

from vppo_core.catalogue import EVERY, Kind, Page
from vppo_core.dashboards.foreign import FOREIGN

WINDOW: Final = "$__rate_interval"
"""Grafana's window of a rate: four scrapes, or a pixel, whichever is longer."""

_TARGET: Final = ('job=~"$job"', 'instance=~"$instance"')
_RUN: Final = ('namespace=~"$namespace"', 'job_name=~"$job_name"')
_CONTROL: Final = ('job_namespace=~"$namespace"', 'job_name=~"$job_name"')
_SUFFIXES: Final = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}


def own(key: str, *matchers: str, suffix: str = "") -> str:
    """Selector of a metric of ours, narrowed by the dashboard's variables.

    Args:
        key: in the catalogue.
        matchers: more of them, such as `role="rollout"`.
        suffix: of a histogram's series.

    Raises:
        LookupError: the catalogue has no such key, or a histogram none such series.
    """
    entry = EVERY[key]
    if suffix not in _SUFFIXES.get(entry.kind, ("",)):
        raise LookupError(f"{key} is a {entry.kind.value}, it has no series {suffix!r}")
    of_job: tuple[str, ...] = ()
    if entry.page in (Page.RUN, Page.ROLES):
        of_job = _RUN
    elif "job_namespace" in entry.labels:
        of_job = _CONTROL
    return _selector(entry.series + suffix, (*_TARGET, *of_job, *matchers))


def foreign(name: str, *matchers: str, suffix: str = "") -> str:
    """Selector of somebody else's metric; what Ray exports belongs to a job."""
    entry = FOREIGN[name]
    if suffix not in _SUFFIXES.get(entry.kind, ("",)):
        raise LookupError(f"{name} is a {entry.kind.value}, it has no series {suffix!r}")
    if name.startswith("ray_"):
        return _selector(name + suffix, (*_TARGET, *_RUN, *matchers))
    of_place = ('namespace=~"$namespace"',) if "namespace" in entry.labels else ()
    return _selector(name + suffix, (*_TARGET, *of_place, *matchers))


def series(key: str, *matchers: str, suffix: str = "") -> str:
    """Selector of a metric of ours without a dashboard's variables, as alerts need it."""
    return _selector(EVERY[key].series + suffix, matchers)


def others(name: str, *matchers: str) -> str:
    """Selector of somebody else's metric without a dashboard's variables."""
    return _selector(FOREIGN[name].name, matchers)


def rate(selector: str, window: str = WINDOW) -> str:
    """Growth of a counter per second."""
    return f"rate({selector}[{window}])"


def increase(selector: str, window: str = WINDOW) -> str:
    """Growth of a counter within the window."""
    return f"increase({selector}[{window}])"


def total(expression: str, *by: str) -> str:
    """Sum, by labels."""
    return _aggregate("sum", expression, by)


def mean(expression: str, *by: str) -> str:
    """Mean, by labels."""
    return _aggregate("avg", expression, by)


def most(expression: str, *by: str) -> str:
    """Largest, by labels."""
    return _aggregate("max", expression, by)


def least(expression: str, *by: str) -> str:
    """Smallest, by labels."""
    return _aggregate("min", expression, by)


def quantile(share: float, buckets: str, *by: str) -> str:
    """Quantile from the buckets of a histogram, by labels."""
    return f"histogram_quantile({share:g}, {total(rate(buckets), 'le', *by)})"


def share(part: str, whole: str) -> str:
    """Quotient; absent where there is nothing to divide by."""
    return f"{part} / ({whole} > 0)"


def above(expression: str, bound: float) -> str:
    """Those series whose value is above the bound."""
    return f"{expression} > {bound:g}"


def or_none(part: str, whole: str) -> str:
    """The part; 0 where only the whole is there: a label value that never came has no series."""
    return f"({part} or 0 * {whole})"


def mean_time(key: str, *by: str) -> str:
    """Mean of a histogram's observations: those of the window."""
    sums, counts = (rate(own(key, suffix=suffix)) for suffix in ("_sum", "_count"))
    return share(total(sums, *by), total(counts, *by))


def up(job: str) -> str:
    """Whether targets answered when they were scraped last; `job` is a regular expression."""
    return f'up{{job=~"$job", instance=~"$instance", job=~"{job}"}}'


def _aggregate(name: str, expression: str, by: tuple[str, ...]) -> str:
    return f"{name} by ({', '.join(by)}) ({expression})" if by else f"{name}({expression})"


def _selector(name: str, matchers: tuple[str, ...]) -> str:
    return f"{name}{{{', '.join(matchers)}}}" if matchers else name
