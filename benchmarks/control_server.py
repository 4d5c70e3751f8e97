"""The control plane as a process, and an archive filled for it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from benchmarks.control_load import (
    Target,
)
from vppo_core.archive.cursor import Position
from vppo_core.archive.database import DATABASE_FILE, Database, open_database
from vppo_core.archive.jobs import create_job, write_plan
from vppo_core.archive.records import JobRecord
from vppo_core.archive.tables import job_tags, jobs
from vppo_core.errors import VPPOError
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

JOB = Path(__file__).parents[1] / "helm" / "examples" / "demo-vppo.yaml"
# One caller plays many; the limits of one are not what is measured.
LIMITS = {"API_RATE": "1000000", "API_BURST": "1000000", "API_MAX_STREAMS": "10000"}
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
MIB = 2**20
ROWS_AT_ONCE = 5000
START_LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A control plane that answers."""

    pid: int
    port: int
    start_seconds: float

    def target(self, head: str, **more: Any) -> Target:
        """A request to it."""
        return Target(self.port, self.pid, head, **more)


@contextmanager
def server_of(state: Path, bytecode: Path | None = None) -> Iterator[Server]:
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
def archive_of(state: Path) -> Iterator[Database]:
    """The archive in a state folder, made where it is missing."""
    state.mkdir(parents=True, exist_ok=True)
    db = open_database(f"sqlite:///{state / DATABASE_FILE}")
    try:
        yield db
    finally:
        db.close()


def make_job(db: Database, phase: JobPhase, now: datetime) -> JobRecord:
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


def fill(db: Database, count: int, *, before_last: int) -> Position:
    """Write finished jobs, copies of one; where the page of the `before_last` oldest ones begins.

    They go past the archive's own functions, which commit each job by itself.
    """
    now = datetime.now(UTC)
    make_job(db, JobPhase.SUCCEEDED, now)
    with db.reading() as connection:
        model = dict(connection.execute(select(jobs)).mappings().one())
        tags = connection.execute(select(job_tags.c.tag)).scalars().all()
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
