"""Pages of metrics, read back as Prometheus reads them."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from vppo_core.catalogue import Metric
from vppo_core.instruments import page_of

Series = Mapping[str, float]


def series_of(page: bytes | str) -> dict[str, float]:
    """Values by `name value-of-label value-of-label`, labels in the order of their names."""
    text = page if isinstance(page, str) else page.decode()
    return {
        " ".join(
            [sample.name, *(value for _, value in sorted(sample.labels.items()))]
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def missing_in(page: bytes, entries: Iterable[Metric]) -> list[str]:
    """Names of entries of which the page has no sample, in the wrong kind, or without a label."""
    families = {family.name: family for family in text_string_to_metric_families(page.decode())}
    missing = []
    for entry in entries:
        family = families.get(entry.series.removesuffix("_total"))
        samples = family.samples if family is not None and family.type == entry.kind else []
        labels = [set(sample.labels) - {"le"} for sample in samples]
        if not samples or any(one != set(entry.labels) for one in labels):
            missing.append(entry.series)
    return missing


def read(registry: CollectorRegistry) -> dict[str, float]:
    """The series of a registry."""
    return series_of(page_of(registry))
