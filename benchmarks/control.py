"""The control plane as it is started on one machine: jobs accepted, lists, streams, its start.

Clients run in one process beside the server's. On a machine with two cores each has one; what both
took of the CPU is in the report.
"""

import http.client
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
from vppo_core.archive.cursor import cursor_after
from vppo_core.archive.database import Database, open_database
from vppo_core.archive.jobs import create_job, write_plan
from vppo_core.archive.records import JobQuery, JobRecord
from vppo_core.archive.tables import job_tags, jobs
from vppo_core.archive.tags import tags_of
from vppo_core.errors import VPPOError
from vppo_core.spec.loading import load_job
from vppo_core.spec.status import AttemptStatus, JobPhase, Outcome, Progress, VPPOJobStatus
from vppo_services.local.run_folder import RunFolder

JOB = Path(__file__).parents[1] / "helm" / "examples" / "demo-vppo.yaml"
# One caller plays many; the limits of one are not what is measured.
LIMITS = {"API_RATE": "1000000", "API_BURST": "1000000", "API_MAX_STREAMS": "10000"}
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
    lists: int = 500
    """Times that each page is read."""
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
            "start": _starts(root, options),
            "accept": _accept(root / "accept", options),
            "list": _lists(root / "list", options),
            "streams": _streams(root / "streams", options),
        }
    return report, _results(report, options)


def _starts(root: Path, options: ControlOptions) -> dict[str, Any]:
    """Of a server that makes its database."""
    seconds, memory = [], []
    for number in range(options.starts):
        with _server(root / f"start-{number}") as server:
            seconds.append(server.start_seconds)
            memory.append(psutil.Process(server.pid).memory_info().rss / MIB)
    return {
        "runs": seconds,
        "seconds": statistics.median(seconds),
        "rssMiB": statistics.median(memory),
    }


def _accept(state: Path, options: ControlOptions) -> dict[str, Numbers]:
    text = JOB.read_text().replace("name: demo-vppo", f"name: {NAME.decode()}")
    document = yaml.safe_load(text.replace(NAME.decode(), f"'{NAME.decode()}'"))
    bodies = {
        "application/json": json.dumps(document).encode(),
        "application/yaml": text.encode(),
    }
    with _server(state) as server:

        def target(prefix: str, kind: str = "application/json") -> Target:
            return server.target(
                "POST /jobs", status=201, media_type=kind, body=bodies[kind], prefix=prefix
            )

        run_apart(closed_loop, target("warm"), options.clients, WARM_SECONDS)
        json_loop = run_apart(closed_loop, target("json"), options.clients, options.seconds)
        yaml_loop = run_apart(
            closed_loop, target("yaml", "application/yaml"), options.clients, options.seconds / 2
        )
        steady = run_apart(
            open_loop, target("open"), options.clients, options.rate, 2 * options.seconds
        )
    return {"closedLoop": json_loop, "closedLoopYaml": yaml_loop, "openLoop": steady}


def _lists(state: Path, options: ControlOptions) -> dict[str, Any]:
    query = JobQuery(limit=options.page)
    with _archive(state) as db:
        started = time.perf_counter()
        last_of_page = _fill(db, options)
        fill_seconds = time.perf_counter() - started
    size = (state / "vppo.db").stat().st_size
    paths = {
        "first": f"GET /jobs?limit={options.page}",
        "last": f"GET /jobs?limit={options.page}&cursor={cursor_after(last_of_page, query)}",
    }
    with _server(state) as server:
        pages = {}
        for name, head in paths.items():
            target = server.target(head)
            run_apart(open_loop, target, 1, 100.0, 0.5)
            # As fast as one reader asks: a time of its own for each answer.
            pages[name] = run_apart(open_loop, target, 1, 20.0, options.lists / 20.0)
    return {"databaseMiB": size / MIB, "fillSeconds": fill_seconds, **pages}


def _streams(state: Path, options: ControlOptions) -> dict[str, Any]:
    with _archive(state) as db:
        record = _job(db, "running", JobPhase.RUNNING)
    run_folder = RunFolder.of(state / "jobs", record.uid)
    run_folder.path.mkdir(parents=True)
    run_folder.metrics.write_text("".join(map(metrics_line, range(options.history))))
    with _server(state) as server:
        stream = Stream(
            server.target(f"GET /jobs/{record.name}/metrics"),
            run_folder.metrics,
            options.history,
            options.lines,
        )
        return run_apart(follow, stream, options.readers)
