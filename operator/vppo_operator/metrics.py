"""What the operator measures of itself, for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from vppo_core.spec.status import JobPhase

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class OperatorMetrics:
    """One set of metrics; several may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.reconcile_seconds = Histogram(
            "vppo_operator_reconcile_seconds",
            "Time of one look at a job.",
            buckets=_SECONDS,
            registry=own,
        )
        self.reconcile_errors = Counter(
            "vppo_operator_reconcile_errors_total",
            "Looks at a job that ended with an error.",
            registry=own,
        )
        self.queue_depth = Gauge(
            "vppo_operator_queue_depth", "Jobs that wait for a free worker.", registry=own
        )
        self.watch_age = Gauge(
            "vppo_operator_watch_age_seconds",
            "Time since the last sign from the watches.",
            registry=own,
        )
        self.resync_age = Gauge(
            "vppo_operator_resync_age_seconds",
            "Time since all jobs were listed last.",
            registry=own,
        )
        self.orphans = Gauge(
            "vppo_operator_orphans",
            "Objects of attempts that are over, found by the last sweep.",
            ["kind"],
            registry=own,
        )
        self.live_attempts_max = Gauge(
            "vppo_operator_live_attempts_max",
            "Most live attempts of any one job; 1 at most.",
            registry=own,
        )
        self.jobs = Gauge("vppo_operator_jobs", "Job objects by phase.", ["phase"], registry=own)
        self.api_calls = Counter(
            "vppo_operator_api_calls_total",
            "Calls of the API server.",
            ["verb", "resource"],
            registry=own,
        )
        self.archive_backlog = Gauge(
            "vppo_operator_archive_backlog",
            "Jobs that wait to be written to the archive.",
            registry=own,
        )
        self.is_leader = Gauge(
            "vppo_operator_leader",
            "1 while this program runs the jobs, 0 on standby.",
            registry=own,
        )

    def count_call(self, verb: str, resource: str) -> None:
        """One call of the API server."""
        self.api_calls.labels(verb, resource).inc()

    def set_phases(self, phases: Iterable[JobPhase]) -> None:
        """How many jobs are in each phase."""
        tally = Tally(phases)
        for phase in JobPhase:
            self.jobs.labels(phase.value).set(tally[phase])

    def set_orphans(self, kinds: Iterable[str], known: Iterable[str]) -> None:
        """What the last sweep found, by kind; a kind of which nothing was found has 0."""
        tally = Tally(kinds)
        for kind in known:
            self.orphans.labels(kind).set(tally[kind])

    def page(self) -> bytes:
        """What a scrape gets."""
        return generate_latest(self.registry)
