"""Steps that waited on disk while MLflow was away, brought to a real server on SQLite."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables import Result, on_the_wire
from tests.integration.mlflow_server import Server, found
from vppo_core.catalogue import METRICS, mlflow_name
from vppo_core.errors import VPPOError
from vppo_services.observability.mlflow import MlflowSink

EXPERIMENT = "replay"
MAX_APPEND_MS = 15  # half a per cent of a step of three seconds


@dataclass(frozen=True, slots=True)
class MlflowOptions:
    """How long MLflow was away."""

    records: int = 2000
    """Steps that wait, each with every metric of a step that has no label."""


def run(options: MlflowOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table.

    Raises:
        VPPOError: MLflow has not each step exactly once.
    """
    values = {m.key: 0.5 for m in METRICS.values() if not m.labels and m.mlflow_key}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        server = Server(folder)
        sink = MlflowSink(
            server.url,
            experiment=EXPERIMENT,
            run_name="job",
            folder=folder / "mlflow",
            spool_bytes=2**30,
        )
        appends = [_append(sink, step, values) for step in range(1, options.records + 1)]
        spooled = sum(path.stat().st_size for path in (folder / "mlflow" / "spool").iterdir())
        waiting = sink.pending
        server.start()
        try:
            found(server.url, "Default")  # the client is imported, and the server warm
            began = time.perf_counter()
            if not sink.replay(600.0):
                raise VPPOError(f"{sink.pending} of {waiting} records were not delivered in 600 s")
            seconds = time.perf_counter() - began
            curve = found(server.url, EXPERIMENT).curve("job attempt 1", mlflow_name("step"))
        finally:
            server.kill()
    if curve != list(range(1, options.records + 1)):
        raise VPPOError(f"MLflow has {len(curve)} points of {options.records} steps")
    report = {
        "options": on_the_wire(options),
        "metricsOfARecord": len(values),
        "spoolBytesOfARecord": spooled / options.records,
        "seconds": seconds,
        "recordsPerSecond": waiting / seconds,
        "metricsPerSecond": waiting * len(values) / seconds,
        "appendMs": {
            "median": statistics.median(appends),
            "p99": statistics.quantiles(appends, n=100)[98],
            "max": max(appends),
        },
    }
    return report, [
        Result("records replayed into MLflow", waiting / seconds, "records/s"),
        Result("metrics replayed into MLflow", report["metricsPerSecond"], "metrics/s"),
        Result("a step put into the spool, p99", report["appendMs"]["p99"], "ms", MAX_APPEND_MS),
    ]


def _append(sink: MlflowSink, step: int, values: dict[str, float]) -> float:
    """Milliseconds that a step waits for its tracker."""
    began = time.perf_counter()
    sink.log_step(step, {**values, "step": float(step)}, time_seconds=float(step))
    return (time.perf_counter() - began) * 1e3
