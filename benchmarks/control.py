"""The control plane as it is started on one machine: jobs accepted, lists, streams, its start.

Clients run in one process beside the server's. On a machine with two cores each has one; what both
took of the CPU is in the report.
"""

import json
import statistics
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from benchmarks.control_load import (
    NAME,
    Numbers,
    Stream,
    Target,
    closed_loop,
    follow,
    metrics_line,
    open_loop,
)
from benchmarks.control_server import (
    JOB,
    MIB,
    archive_of,
    fill,
    make_job,
    server_of,
)
from benchmarks.machine import run_apart
from benchmarks.tables import Result, on_the_wire
from vppo_core.archive.cursor import cursor_after
from vppo_core.archive.database import DATABASE_FILE
from vppo_core.archive.records import JobQuery
from vppo_core.errors import VPPOError
from vppo_core.runs.folder import RunFolder
from vppo_core.spec.status import (
    JobPhase,
)

WARM_SECONDS = 2.0

MIN_JOBS_PER_SECOND = 300
MAX_ACCEPT_MS = 50
MAX_LIST_MS = 50
MAX_STREAMS_MIB = 50
MAX_DELAY_MS = 500  # two polls of the store
MAX_START_SECONDS = 2
MAX_START_MIB = 200


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """How many of everything, and for how long."""

    clients: int = 16
    seconds: float = 10.0
    """Of each loop of requests."""
    rate: float = 100.0
    """Of the open loop, in requests a second."""
    finished_jobs: int = 100_000
    page: int = 100
    """A list is read at its first page and at its last one."""
    readers: int = 200
    history: int = 60
    lines: int = 60
    starts: int = 5


def run(options: ControlOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table.

    Raises:
        VPPOError: the server did not start, or answered otherwise than it must.
    """
    with tempfile.TemporaryDirectory(prefix="vppo-bench-") as folder:
        root = Path(folder)
        report = {
            "shape": on_the_wire(options),
            "clientsRun": "in one process on the server's machine; CPU times of both are given",
            "start": _starts(root, options),
            "accept": _accept(root / "accept", options),
            "list": _lists(root / "list", options),
            "streams": _streams(root / "streams", options),
        }
    return report, _results(report, options)


def _starts(root: Path, options: ControlOptions) -> dict[str, Any]:
    """Of a server that makes its database, with bytecode from an earlier start and without."""
    kinds: dict[str, Path | None] = {"compiled": root / "bytecode", "uncompiled": None}
    with server_of(root / "start-first", kinds["compiled"]):
        pass  # leaves the bytecode
    found: dict[str, Any] = {}
    for kind, bytecode in kinds.items():
        seconds, memory = [], []
        for number in range(options.starts):
            with server_of(root / f"start-{kind}-{number}", bytecode) as server:
                seconds.append(server.start_seconds)
                memory.append(psutil.Process(server.pid).memory_info().rss / MIB)
        median, rss = statistics.median(seconds), statistics.median(memory)
        found[kind] = {"runs": seconds, "seconds": median, "rssMiB": rss}
    return found


def _accept(state: Path, options: ControlOptions) -> dict[str, Numbers]:
    # Quoted: an @ begins nothing in YAML.
    text = JOB.read_text().replace("name: demo-vppo", f'name: "{NAME.decode()}"')
    bodies = {"json": json.dumps(yaml.safe_load(text)).encode(), "yaml": text.encode()}
    clients, seconds = options.clients, options.seconds
    with server_of(state) as server:

        def target(prefix: str, kind: str = "json") -> Target:
            what = {"media_type": f"application/{kind}", "body": bodies[kind], "prefix": prefix}
            return server.target("POST /jobs", status=201, **what)

        run_apart(closed_loop, target("warm"), clients, WARM_SECONDS)
        return {
            "closedLoop": run_apart(closed_loop, target("json"), clients, seconds),
            "closedLoopYaml": run_apart(closed_loop, target("yaml", "yaml"), clients, seconds / 2),
            "openLoop": run_apart(open_loop, target("open"), clients, options.rate, 2 * seconds),
        }


def _lists(state: Path, options: ControlOptions) -> dict[str, Any]:
    size = options.page
    with archive_of(state) as db:
        place = fill(db, options.finished_jobs, before_last=size)
    cursor = cursor_after(place, JobQuery(limit=size))
    paths = {"first": f"/jobs?limit={size}", "last": f"/jobs?limit={size}&cursor={cursor}"}
    pages: dict[str, Any] = {}
    with server_of(state) as server:
        for name, path in paths.items():
            found = httpx.get(f"http://127.0.0.1:{server.port}{path}", trust_env=False).json()
            if len(found["items"]) != size or (found["nextCursor"] is None) != (name == "last"):
                raise VPPOError(f"the {name} page must have {size} jobs, got {len(found['items'])}")
            target = server.target(f"GET {path}")
            run_apart(closed_loop, target, 1, WARM_SECONDS / 2)
            pages[name] = run_apart(closed_loop, target, 1, options.seconds)
    return {"databaseMiB": (state / DATABASE_FILE).stat().st_size / MIB, **pages}


def _streams(state: Path, options: ControlOptions) -> dict[str, Any]:
    with archive_of(state) as db:
        record = make_job(db, JobPhase.RUNNING, datetime.now(UTC))
    run_folder = RunFolder.of(state / "jobs", record.uid)
    run_folder.path.mkdir(parents=True)
    run_folder.metrics.write_text("".join(map(metrics_line, range(options.history))))
    with server_of(state) as server:
        target = server.target(f"GET /jobs/{record.name}/metrics")
        stream = Stream(target, run_folder.metrics, options.history, options.lines)
        return run_apart(follow, stream, options.readers)


def _results(report: dict[str, Any], options: ControlOptions) -> list[Result]:
    accept, lists, streams, start = (report[key] for key in ("accept", "list", "streams", "start"))
    loop, steady, clients = accept["closedLoop"], accept["openLoop"], options.clients
    last, readers = -(-options.finished_jobs // options.page), options.readers
    return [
        Result(f"jobs accepted, {clients} clients", loop["perSecond"], "/s"),
        Result(
            f"time for each of them, {clients} clients",
            1e3 / loop["perSecond"],
            "ms",
            1e3 / MIN_JOBS_PER_SECOND,
        ),
        Result(
            f"jobs accepted as YAML, {clients} clients", accept["closedLoopYaml"]["perSecond"], "/s"
        ),
        Result(f"accept, p99 at {options.rate:g}/s", steady["p99Ms"], "ms", MAX_ACCEPT_MS),
        Result("page 1 of jobs, p99", lists["first"]["p99Ms"], "ms", MAX_LIST_MS),
        Result(f"page {last:,} of jobs, p99", lists["last"]["p99Ms"], "ms", MAX_LIST_MS),
        Result(f"memory of {readers} streams", streams["extraMiB"], "MiB", MAX_STREAMS_MIB),
        Result(f"line to {readers} readers, median", streams["medianMs"], "ms"),
        Result(f"line to {readers} readers, p99", streams["p99Ms"], "ms", MAX_DELAY_MS),
        Result("start", start["compiled"]["seconds"], "s", MAX_START_SECONDS),
        Result("start without bytecode", start["uncompiled"]["seconds"], "s"),
        Result(
            "memory after a start",
            max(one["rssMiB"] for one in start.values()),
            "MiB",
            MAX_START_MIB,
        ),
    ]
