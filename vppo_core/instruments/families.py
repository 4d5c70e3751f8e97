"""Gauges that are asked for at a scrape, as families of the client."""

from prometheus_client.core import GaugeMetricFamily

from vppo_core.catalogue import EVERY


def gauge_family(key: str) -> GaugeMetricFamily:
    """The family of an entry of the catalogue, without values yet."""
    entry = EVERY[key]
    return GaugeMetricFamily(entry.name, entry.help, labels=entry.labels)
