"""The control plane as it is started on one machine: jobs accepted, lists, streams, its start.

Clients run in one process beside the server's. On a machine with two cores each has one; what both
took of the CPU is in the report.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from sqlalchemy import insert, select

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
from benchmarks.machine import run_apart
from benchmarks.tables import Result, on_the_wire
from vppo_core.archive.cursor import Position, cursor_after
from vppo_core.archive.database import Database, open_database
from vppo_core.archive.jobs import create_job, write_plan
from vppo_core.archive.records import JobQuery, JobRecord
from vppo_core.archive.tables import job_tags, jobs
from vppo_core.archive.tags import tags_of
from vppo_core.errors import VPPOError
from vppo_core.runs.folder import RunFolder
from vppo_core.spec.loading import load_job
from vppo_core.spec.status import (
    AttemptStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    JobPhase,
    Outcome,
    Progress,
    VPPOJobStatus,
)
from vppo_services.api.__main__ import DATABASE_FILE

JOB = Path(__file__).parents[1] / "helm" / "examples" / "demo-vppo.yaml"
# One caller plays many; the limits of one are not what is measured.
LIMITS = {"API_RATE": "1000000", "API_BURST": "1000000", "API_MAX_STREAMS": "10000"}
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
MIB = 2**20
ROWS_AT_ONCE = 5000
START_LIMIT_SECONDS = 30.0
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


@dataclass(frozen=True, slots=True)
class Server:
    """A control plane that answers."""

    pid: int
    port: int
    start_seconds: float

    def target(self, head: str, **more: Any) -> Target:
        """A request to it."""
        return Target(self.port, self.pid, head, **more)


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
    with _server(root / "start-first", kinds["compiled"]):
        pass  # leaves the bytecode
    found: dict[str, Any] = {}
    for kind, bytecode in kinds.items():
        seconds, memory = [], []
        for number in range(options.starts):
            with _server(root / f"start-{kind}-{number}", bytecode) as server:
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
    with _server(state) as server:

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
    with _archive(state) as db:
        place = _fill(db, options.finished_jobs, before_last=size)
    cursor = cursor_after(place, JobQuery(limit=size))
    paths = {"first": f"/jobs?limit={size}", "last": f"/jobs?limit={size}&cursor={cursor}"}
    pages: dict[str, Any] = {}
    with _server(state) as server:
        for name, path in paths.items():
            found = httpx.get(f"http://127.0.0.1:{server.port}{path}", trust_env=False).json()
            if len(found["items"]) != size or (found["nextCursor"] is None) != (name == "last"):
                raise VPPOError(f"the {name} page must have {size} jobs, got {len(found['items'])}")
            target = server.target(f"GET {path}")
            run_apart(closed_loop, target, 1, WARM_SECONDS / 2)
            pages[name] = run_apart(closed_loop, target, 1, options.seconds)
    return {"databaseMiB": (state / DATABASE_FILE).stat().st_size / MIB, **pages}


def _streams(state: Path, options: ControlOptions) -> dict[str, Any]:
    with _archive(state) as db:
        record = _job(db, JobPhase.RUNNING, datetime.now(UTC))
    run_folder = RunFolder.of(state / "jobs", record.uid)
    run_folder.path.mkdir(parents=True)
    run_folder.metrics.write_text("".join(map(metrics_line, range(options.history))))
    with _server(state) as server:
        target = server.target(f"GET /jobs/{record.name}/metrics")
        stream = Stream(target, run_folder.metrics, options.history, options.lines)
        return run_apart(follow, stream, options.readers)


@contextmanager
def _server(state: Path, bytecode: Path | None = None) -> Iterator[Server]:
    """A control plane that nobody runs jobs for, so that they cost nothing while it is measured.

    Args:
        bytecode: folder that Python keeps it in; None compiles every module anew.

    Raises:
        VPPOError: it does not get ready.
    """
    state.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vppo_services.api", "--no-loop"]
    command += ["--state", str(state), "--port", str(port)]
    # Whether there is bytecode decides about the start; the caller's environment must not.
    given = {k: v for k, v in os.environ.items() if not k.startswith(("API_", NO_BYTECODE))}
    given["PYTHONPYCACHEPREFIX"] = str(bytecode or state / "no-bytecode")
    given |= LIMITS if bytecode else {**LIMITS, NO_BYTECODE: "1"}
    with (state / "server.log").open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=given, stderr=log)
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - started > START_LIMIT_SECONDS:
                said = (state / "server.log").read_text()[-2000:]
                raise VPPOError(f"the control plane must get ready, got: {said or 'nothing'}")
            time.sleep(0.01)
        yield Server(process.pid, port, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(START_LIMIT_SECONDS)


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), START_LIMIT_SECONDS) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


@contextmanager
def _archive(state: Path) -> Iterator[Database]:
    state.mkdir(parents=True, exist_ok=True)
    db = open_database(f"sqlite:///{state / DATABASE_FILE}")
    try:
        yield db
    finally:
        db.close()


def _job(db: Database, phase: JobPhase, now: datetime) -> JobRecord:
    """A job as it is after an attempt began or, for a final phase, ended."""
    job, steps = load_job(JOB.read_text()), 60
    uid = "00000000-0000-4000-8000-000000000000"
    record, _ = create_job(db, job, uid=uid, owner="local", spec_hash="0" * 64, now=now)
    attempt = AttemptStatus(index=1, created=now, started=now, last_step=steps)
    if phase.is_final:
        attempt = attempt.model_copy(update={"ended": now, "outcome": Outcome.SUCCEEDED})
    status = VPPOJobStatus(
        phase=phase,
        spec_hash="0" * 64,
        conditions=tuple(
            Condition(
                type=kind, status=ConditionStatus.TRUE, reason="Said", last_transition_time=now
            )
            for kind in ConditionType
        ),
        attempt=1,
        attempts=(attempt,),
        progress=Progress(step=steps, total_steps=steps, display="60/60", updated=now),
    )
    write_plan(db, uid, status=status, attempts=[attempt], events=(), usage={}, now=now)
    return record


def _fill(db: Database, count: int, *, before_last: int) -> Position:
    """Write finished jobs, copies of one; where the page of the `before_last` oldest ones begins.

    They go past the archive's own functions, which commit each job by itself.
    """
    now = datetime.now(UTC)
    record = _job(db, JobPhase.SUCCEEDED, now)
    with db.reading() as connection:
        model = dict(connection.execute(select(jobs)).mappings().one())
    tags = tags_of(
        owner=record.owner,
        queue=model["queue"],
        phase=model["phase"],
        labels=record.labels,
        annotations=record.annotations,
    )
    for first in range(1, count, ROWS_AT_ONCE):
        rows = [
            {
                **model,
                "uid": f"00000000-0000-4000-8000-{number:012}",
                "name": f"demo-vppo-{number}",
                "created": now - timedelta(seconds=number),
            }
            for number in range(first, min(count, first + ROWS_AT_ONCE))
        ]
        marks = [
            {"tag": tag, "created": row["created"], "uid": row["uid"]}
            for row in rows
            for tag in tags
        ]
        with db.writing() as connection:
            connection.execute(insert(jobs), rows)
            connection.execute(insert(job_tags), marks)
    last_shown = count - before_last - 1
    return now - timedelta(seconds=last_shown), f"00000000-0000-4000-8000-{last_shown:012}"


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
        Result("start without bytecode", start["uncompiled"]["seconds"], "s", MAX_START_SECONDS),
        Result(
            "memory after a start",
            max(one["rssMiB"] for one in start.values()),
            "MiB",
            MAX_START_MIB,
        ),
    ]
