"""A registry as the text that a scrape gets."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import RestrictedRegistry

PAGE_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""Content type of a page."""


def page_of(registry: CollectorRegistry) -> bytes:
    """All series of the registry, in Prometheus' text format."""
    return generate_latest(WithoutBirths(registry))


class WithoutBirths:
    """A registry without the `_created` series, which double the counters and are asked by nobody.

    The client leaves them out only for a whole process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def restricted_registry(self, names: Iterable[str]) -> RestrictedRegistry:
        """The series of these names alone, as `/metrics?name[]=...` asks for."""
        return self._registry.restricted_registry(names)

    def collect(self) -> Iterator[Metric]:
        """The families without those series."""
        for family in self._registry.collect():
            plain = Metric(family.name, family.documentation, family.type)
            plain.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield plain
