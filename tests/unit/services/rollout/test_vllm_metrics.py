"""vLLM measures itself where somebody collects it, and never at the price of an engine."""

import sys
from types import ModuleType, SimpleNamespace

from vppo_services.rollout import vllm_metrics
from vppo_services.transport.gathered import Gathered


def test_without_an_agent_vllm_measures_nothing() -> None:
    assert not vllm_metrics.can_measure()


def test_a_vllm_without_such_loggers_is_left_alone_with_one_line(monkeypatch, caplog) -> None:
    def missing(_: Gathered) -> None:
        raise ImportError("no module named vllm.v1.metrics.ray_wrappers")

    monkeypatch.setattr(vllm_metrics, "has_agent", lambda: True)
    monkeypatch.setattr(vllm_metrics, "_stat_logger", missing)
    assert not vllm_metrics.can_measure()
    assert "vLLM's own metrics are left out" in caplog.text


def test_a_logger_that_cannot_be_made_does_not_stop_the_engine(monkeypatch, caplog) -> None:
    class Engine:
        vllm_config = None
        logger_manager = "of vLLM"

    class LLM:
        llm_engine = Engine()

    def broken(_: Gathered) -> None:
        raise TypeError("other arguments")

    for name in ("vllm", "vllm.v1", "vllm.v1.metrics", "vllm.v1.metrics.loggers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["vllm.v1.metrics.loggers"].StatLoggerManager = dict
    monkeypatch.setattr(vllm_metrics, "_stat_logger", broken)
    llm = LLM()
    vllm_metrics.measure(llm)()
    assert llm.llm_engine.logger_manager is None
    assert "other arguments" in caplog.text


def test_what_a_scheduler_counted_is_passed_on_though_its_state_is_not() -> None:
    held = vllm_metrics._HeldBack()

    def state(running: int, queries: int, hits: int) -> SimpleNamespace:
        cache = SimpleNamespace(queries=queries, hits=hits)
        return SimpleNamespace(num_running_reqs=running, prefix_cache_stats=cache)

    assert held.pass_on(state(4, 10, 1), is_due=False) is None
    assert held.pass_on(None, is_due=True) is None
    assert held.pass_on(state(4, 5, 2), is_due=False) is None
    shown = held.pass_on(state(4, 1, 0), is_due=True)
    assert (shown.prefix_cache_stats.queries, shown.prefix_cache_stats.hits) == (16, 3)
    idle = held.pass_on(state(0, 2, 2), is_due=False)
    assert (idle.prefix_cache_stats.queries, idle.prefix_cache_stats.hits) == (2, 2)
