"""`python -m tests.dashboards.live.operator_page`: the operator's own metrics, of simulated jobs.

Prints the port of its page and serves until its input is closed.
"""

import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from prometheus_client import start_http_server

from vppo_core.instruments import JobBoard, WithoutBirths
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase, Progress, VPPOJobStatus
from vppo_operator.metrics import OperatorMetrics

SICK = "sick"
"""A job with two live attempts, so that an alert fires at once."""

_PHASES = {
    SICK: JobPhase.RUNNING,
    "waits": JobPhase.QUEUED,
    "begins": JobPhase.STARTING,
    "done": JobPhase.SUCCEEDED,
}
_KINDS = ("RayJob", "RayCluster")


def look(metrics: OperatorMetrics, board: JobBoard, round_: int) -> None:
    """What an operator does in a second."""
    now = datetime.now(UTC)
    for name, phase in _PHASES.items():
        with metrics.look():
            metrics.count_call("get", "rayjobs")
            metrics.count_call("patch", "vppojobs/status")
        status = VPPOJobStatus(
            phase=phase,
            attempt=1,
            progress=Progress(step=round_, total_steps=1000, updated=now, eta_seconds=100.0),
        )
        board.put(
            "team",
            name,
            status,
            spec=None,
            platform=PlatformSpec(),
            created=now - timedelta(hours=1),
            live_attempts=2 if name == SICK else 1,
            now=now,
        )
    with suppress(TimeoutError), metrics.look():
        raise TimeoutError
    metrics.set_ages(watch_seconds=1.0, resync_seconds=float(round_ % 60))
    metrics.set_queue_depth(round_ % 3)
    metrics.set_orphans(["RayCluster"] if round_ % 2 else [], _KINDS)


def main() -> None:
    """Serve until the input ends."""
    metrics = OperatorMetrics()
    board = JobBoard(metrics.registry)
    metrics.leads()
    server, _ = start_http_server(0, addr="127.0.0.1", registry=WithoutBirths(metrics.registry))
    look(metrics, board, 0)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    is_over = threading.Event()

    def work() -> None:
        round_ = 0
        while not is_over.wait(1.0):
            round_ += 1
            look(metrics, board, round_)

    threading.Thread(target=work, daemon=True).start()
    sys.stdin.read()
    is_over.set()


if __name__ == "__main__":
    main()
