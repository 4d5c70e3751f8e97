"""One metric as every exporter, tracker, dashboard and page knows it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How Prometheus stores a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Reduction(StrEnum):
    """How several values of one step, from updates or replicas, become one."""

    MEAN = "mean"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    LAST = "last"


class Page(StrEnum):
    """Whose `/metrics` has it."""

    RUN = "run"
    """The driver of a run, through a Prometheus client of its own: sums of histograms are exact."""

    ROLES = "roles"
    """Ray's agent on each node, which writes `ray_` before the name."""

    CONTROL = "control"
    """The operator of a cluster, or the server of one machine: whoever runs the jobs."""

    OPERATOR = "operator"
    """The operator alone."""

    API = "api"
    """The API alone."""


SECONDS_BUCKETS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
QUICK_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WAIT_BUCKETS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: what it is called everywhere, and who measures it."""

    key: str  # in code and in metrics.jsonl
    name: str  # as its owner registers it: base units, `_total` on counters
    mlflow_key: str  # in MLflow, of metrics of a run; a label's value is appended after a slash
    unit: str
    help: str
    kind: Kind
    labels: tuple[str, ...]
    reduction: Reduction
    owner: str  # the room that measures it
    page: Page
    buckets: tuple[float, ...] = ()  # upper bounds, histograms only

    @property
    def series(self) -> str:
        """Name in Prometheus, without the suffixes of a histogram."""
        return f"ray_{self.name}" if self.page is Page.ROLES else self.name


@dataclass(frozen=True, slots=True)
class Owner:
    """Makes the entries of one room on one page."""

    page: Page
    room: str

    def gauge(
        self, key: str, unit: str, text: str, *labels: str, mlflow: str = "", by: str = "last"
    ) -> Metric:
        """A value that goes up and down."""
        return self._metric(Kind.GAUGE, key, unit, text, labels, mlflow, Reduction(by))

    def counter(self, key: str, unit: str, text: str, *labels: str, mlflow: str = "") -> Metric:
        """A value that only grows; of a step, what the step added."""
        return self._metric(Kind.COUNTER, key, unit, text, labels, mlflow, Reduction.SUM)

    def histogram(
        self,
        key: str,
        unit: str,
        text: str,
        *labels: str,
        mlflow: str = "",
        buckets: tuple[float, ...] = SECONDS_BUCKETS,
    ) -> Metric:
        """Observations, counted by size."""
        kind = Kind.HISTOGRAM
        return self._metric(kind, key, unit, text, labels, mlflow, Reduction.SUM, buckets)

    def _metric(
        self,
        kind: Kind,
        key: str,
        unit: str,
        text: str,
        labels: tuple[str, ...],
        mlflow: str,
        reduction: Reduction,
        buckets: tuple[float, ...] = (),
    ) -> Metric:
        suffix = "_total" if kind is Kind.COUNTER else ""
        if unit in ("seconds", "bytes", "nats") and not key.endswith(unit):
            suffix = f"_{unit}{suffix}"
        return Metric(
            key=key,
            name=f"vppo_{key}{suffix}",
            mlflow_key=mlflow,
            unit=unit,
            help=text,
            kind=kind,
            labels=labels,
            reduction=reduction,
            owner=self.room,
            page=self.page,
            buckets=buckets,
        )
