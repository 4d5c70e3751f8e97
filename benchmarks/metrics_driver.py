"""A driver that times what it spends on metrics: `python -m benchmarks.metrics_driver TIMES ...`.

All other arguments are the driver's own.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from vppo_services.driver.__main__ import main

Times = dict[str, list[tuple[float, float]]]
"""Seconds of each call, and of the CPU in them, by what was called."""

_TIMED: Final = (
    ("vppo_services.driver.loop", "sampling_values"),
    ("vppo_services.driver.loop", "training_values"),
    ("vppo_services.driver.loop", "update_values"),
    ("vppo_services.driver.run", "schedule_values"),
    ("vppo_services.driver.run", "distributions"),
    ("vppo_services.driver.fleet:Fleet", "ask_reports"),
    ("vppo_services.driver.fleet:Fleet", "take_reports"),
    ("vppo_services.observability.tracker:Tracker", "log_step"),
    ("vppo_services.observability.tracker:Tracker", "announce"),
    ("vppo_services.observability.tracker:Tracker", "observe"),
)


def _time_all(times: Times) -> None:
    for place, name in _TIMED:
        module, _, kind = place.partition(":")
        owner: Any = __import__(module, fromlist=["_"])
        owner = getattr(owner, kind) if kind else owner
        setattr(owner, name, _timed(getattr(owner, name), times.setdefault(name, [])))


def _timed(call: Callable[..., Any], seconds: list[tuple[float, float]]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        started, worked = time.perf_counter(), time.thread_time()
        try:
            return call(*arguments, **named)
        finally:
            seconds.append((time.perf_counter() - started, time.thread_time() - worked))

    return timed


if __name__ == "__main__":
    measured: Times = {}
    _time_all(measured)
    code = main(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(measured))
    sys.exit(code)
