"""Every metric of the project: name, unit, help, labels, reduction, owner.

The only place where metrics are named. Code uses the short key (`METRICS["reward_mean"]`); the
Prometheus name and the MLflow key are read from the entry. A labelled metric is written as its key
with the label's value in braces: `stage_seconds{sample}`. A counter's value in a step is what was
added during that step.
"""

from vppo_core.catalogue.entry import Kind, Metric, Page, Reduction
from vppo_core.catalogue.reference import (
    DISTRIBUTIONS,
    EVERY,
    METRICS,
    labelled,
    metric,
    mlflow_name,
    parse,
)
from vppo_core.catalogue.run import STAGES

__all__ = [
    "DISTRIBUTIONS",
    "EVERY",
    "METRICS",
    "STAGES",
    "Kind",
    "Metric",
    "Page",
    "Reduction",
    "labelled",
    "metric",
    "mlflow_name",
    "parse",
]
