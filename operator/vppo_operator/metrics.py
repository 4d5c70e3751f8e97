"""What the operator measures of itself and of its jobs, for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry

from vppo_core.catalogue.control import OPERATOR
from vppo_core.instruments import Instruments, page_of


class OperatorMetrics:
    """One set of metrics; several may live in one process."""

    def __init__(self) -> None:
        """Begin as a standby, who leads nothing and knows of no job."""
        self.registry = CollectorRegistry()
        self._made = Instruments(self.registry, OPERATOR)
        self._made.set("operator_leader", 0)

    def leads(self) -> None:
        """This program runs the jobs from here on."""
        self._made.set("operator_leader", 1)

    def count_call(self, verb: str, resource: str) -> None:
        """One call of the API server."""
        self._made.inc("operator_api_calls", verb, resource)

    @contextmanager
    def look(self) -> Iterator[None]:
        """Time a look at a job, and count it if it ends with an error."""
        began = perf_counter()
        try:
            yield
        except Exception:
            self._made.inc("operator_reconcile_errors")
            raise
        finally:
            self._made.observe("operator_reconcile_seconds", perf_counter() - began)

    def set_ages(self, *, watch_seconds: float, resync_seconds: float) -> None:
        """How long ago watches spoke, and all jobs were listed."""
        self._made.set("operator_watch_age_seconds", watch_seconds)
        self._made.set("operator_resync_age_seconds", resync_seconds)

    def set_queue_depth(self, jobs: int) -> None:
        """How many jobs wait for a free worker."""
        self._made.set("operator_queue_depth", jobs)

    def set_orphans(self, kinds: Iterable[str], known: Iterable[str]) -> None:
        """What the last sweep found, by kind; a kind of which nothing was found has 0."""
        tally = Tally(kinds)
        for kind in known:
            self._made.set("operator_orphans", tally[kind], kind)

    def page(self) -> bytes:
        """What a scrape gets."""
        return page_of(self.registry)
