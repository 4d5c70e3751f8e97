"""vLLM's own measurements on Ray's page: `ray_vllm_*`, beside those of the roles.

A vLLM step may take two milliseconds, and Ray needs microseconds for each value it is given. So
values are added up and given to Ray once a second. Histograms take their values one by one: those
that no other metric tells are kept, and get one answer of eight. Their quantiles are as true as
before; how many answers there were is `ray_vllm_request_success_total`.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from vppo_services.transport.gathered import Gathered, Series
from vppo_services.transport.role_metrics import has_agent, ray_instruments

_log = logging.getLogger(__name__)

_HISTOGRAMS: Final = (
    "vllm:e2e_request_latency_seconds",
    "vllm:time_to_first_token_seconds",
    "vllm:request_time_per_output_token_seconds",
)
_ONE_ANSWER_OF: Final = 8

Flush = Callable[[], None]


def can_measure() -> bool:
    """Whether vLLM shall measure itself: somebody collects it, and this vLLM knows how."""
    if not has_agent():
        return False
    try:
        _stat_logger(Gathered())
    except (ImportError, AttributeError) as error:
        _log.warning("vLLM's own metrics are left out: %s", error)
        return False
    return True


def measure(llm: Any) -> Flush:
    """Give what `llm` measures to Ray's metrics agent, and to nobody else.

    Args:
        llm: a `vllm.LLM` whose statistics are on. `LLM` has no argument for where they go, so its
            logger, which nobody would read, is replaced.

    Returns:
        What gives the last values to Ray, to be called when the engine becomes idle.
    """
    from vllm.v1.metrics.loggers import StatLoggerManager

    gathered = Gathered()
    engine = llm.llm_engine
    try:
        engine.logger_manager = StatLoggerManager(
            vllm_config=engine.vllm_config,
            custom_stat_loggers=[_stat_logger(gathered)],
            enable_default_loggers=False,
        )
    except Exception as error:
        engine.logger_manager = None
        _log.warning("vLLM's own metrics are left out: %s", error)
    return gathered.flush


def _stat_logger(gathered: Gathered) -> Any:
    """The class that vLLM makes a logger of."""
    from vllm.v1.metrics import ray_wrappers

    # vLLM asks for Ray Serve too, whose libraries are not installed, and then leaves Ray alone.
    ray_wrappers.ray_metrics = ray_instruments()

    held = _HeldBack()

    class RoleStatLogger(ray_wrappers.RayPrometheusStatLogger):  # type: ignore[misc]
        _gauge_cls = _gauge_class(ray_wrappers, gathered)
        _counter_cls = _counter_class(ray_wrappers, gathered)
        _histogram_cls = _histogram_class(ray_wrappers)

        def record(
            self, scheduler_stats: Any, iteration_stats: Any, *more: Any, **named: Any
        ) -> None:
            is_due = gathered.is_due
            if iteration_stats is not None:
                iteration_stats.inter_token_latencies_iter.clear()  # a value for each token
            shown = held.pass_on(scheduler_stats, is_due=is_due)
            super().record(shown, iteration_stats, *more, **named)
            if is_due:
                gathered.flush()

    return RoleStatLogger


class _HeldBack:
    """A scheduler's state between two looks at it: only what it counted must not be lost."""

    def __init__(self) -> None:
        self._queries = self._hits = 0

    def pass_on(self, stats: Any, *, is_due: bool) -> Any:
        """The state, once a second and when the engine becomes idle; otherwise None."""
        if stats is None:
            return None
        cache = stats.prefix_cache_stats
        cache.queries += self._queries
        cache.hits += self._hits
        is_idle = stats.num_running_reqs == 0
        self._queries, self._hits = (0, 0) if is_due or is_idle else (cache.queries, cache.hits)
        return stats if is_due or is_idle else None


def _gauge_class(ray_wrappers: Any, gathered: Gathered) -> Any:
    class Gauge(ray_wrappers.RayGaugeWrapper):  # type: ignore[misc]
        def labels(self, *labels: Any, **named: Any) -> Any:
            labelled = super().labels(*labels, **named)
            labelled.series = _series(labelled, gathered)
            return labelled

        def set(self, value: float) -> None:
            self.series.set(value)

    return Gauge


def _counter_class(ray_wrappers: Any, gathered: Gathered) -> Any:
    class Counter(ray_wrappers.RayCounterWrapper):  # type: ignore[misc]
        def labels(self, *labels: Any, **named: Any) -> Any:
            labelled = super().labels(*labels, **named)
            labelled.series = _series(labelled, gathered)
            labelled.series.add(0.0)  # a counter that begins absent hides its first event
            return labelled

        def inc(self, value: float = 1.0) -> None:
            if value:
                self.series.add(value)

    return Counter


def _histogram_class(ray_wrappers: Any) -> Any:
    class Histogram(ray_wrappers.RayHistogramWrapper):  # type: ignore[misc]
        def __init__(self, name: str, *rest: Any, **named: Any) -> None:
            super().__init__(name, *rest, **named)
            self.is_kept = name in _HISTOGRAMS
            self.seen = 0

        def observe(self, value: float) -> None:
            if self.is_kept:
                if self.seen % _ONE_ANSWER_OF == 0:
                    super().observe(value)
                self.seen += 1

    return Histogram


def _series(labelled: Any, gathered: Gathered) -> Series:
    tell = partial(labelled.metric._record, tags=labelled._tags)  # Ray's inc() refuses 0
    return gathered.series((id(labelled.metric), *labelled._tags.values()), tell)
