"""Prints the catalogue as markdown: what each page exports, for those who write queries."""

from collections.abc import Iterable
from typing import Final

from vppo_core.catalogue import EVERY, Kind, Metric, Page

_PAGES: Final = {
    Page.RUN: "The driver's page of a run. Each is in `metrics.jsonl` under its key, and in "
    "MLflow; distributions are on the page alone. Sums of histograms are exact.",
    Page.ROLES: "The processes of the roles, through Ray's agent on each node. A mean time is "
    "the quotient of two counters.",
    Page.CONTROL: "Jobs: by the operator of a cluster, or by `vppo serve` on one machine. A job "
    "that is over leaves no series with its name.",
    Page.OPERATOR: "The operator of itself.",
    Page.API: "The API of itself.",
}


def metrics_page() -> str:
    """A table for each page."""
    parts = ["# Metrics\n\nPrinted by `make dashboards` from `vppo_core/catalogue`."]
    for page, about in _PAGES.items():
        rows = "\n".join(_rows(one for one in EVERY.values() if one.page is page))
        parts.append(
            f"## {page.value.capitalize()}\n\n{about}\n\n"
            f"| series | kind, unit | what | key, in MLflow |\n|---|---|---|---|\n{rows}"
        )
    return "\n\n".join(parts) + "\n"


def _rows(metrics: Iterable[Metric]) -> Iterable[str]:
    for one in metrics:
        labels = f"{{{', '.join(one.labels)}}}" if one.labels else ""
        suffix = "_bucket, _sum, _count" if one.kind is Kind.HISTOGRAM else ""
        series = f"`{one.series}{labels}`" + (f" {suffix}" if suffix else "")
        names = f"`{one.key}`" + (f", `{one.mlflow_key}`" if one.mlflow_key else "")
        yield f"| {series} | {one.kind.value}, {one.unit} | {one.help} | {names} |"
