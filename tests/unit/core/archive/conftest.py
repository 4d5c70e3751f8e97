"""An empty archive for every test: a file, or a database on a server.

`VPPO_TEST_DATABASE` may hold the address of a PostgreSQL server whose user may make databases.
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.jobs import create_job, write_plan
from vppo_core.archive.records import IdempotencyKey, JobRecord
from vppo_core.archive.tables import metadata
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.status import JobPhase, VPPOJobStatus

SERVER = os.environ.get("VPPO_TEST_DATABASE", "")
MEMORY = Path("/dev/shm")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where commits wait for no disk, if this machine has such a place."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """Address of a database without tables."""
    if not SERVER:
        yield f"sqlite:///{folder / 'bare.db'}"
        return
    with _made_database() as address:
        yield address


@pytest.fixture(scope="session")
def shared() -> Iterator[Database | None]:
    """An archive on the server, which tests use one after the other; None where there is none."""
    if not SERVER:
        yield None
        return
    with _made_database() as address:
        database = open_database(address)
        yield database
        database.close()


@pytest.fixture
def db(shared: Database | None, folder: Path) -> Iterator[Database]:
    """An empty archive."""
    if shared is not None:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        with shared.writing() as connection:
            connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        yield shared
        return
    database = open_database(f"sqlite:///{folder / 'archive.db'}")
    yield database
    database.close()


@contextmanager
def _made_database() -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


class Life:
    """Makes jobs and moves them on; a second passes with every job."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = NOON

    def job(
        self,
        name: str,
        *,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        **spec: Any,
    ) -> VPPOJob:
        """A job object; fields of the spec are given on the wire names."""
        metadata = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
        smallest = {"model": {"source": "demo://model"}, "data": {"source": "demo://data"}}
        return VPPOJob.model_validate({"metadata": metadata, "spec": {**smallest, **spec}})

    def create(
        self,
        job: VPPOJob | str,
        *,
        owner: str = "ann",
        key: IdempotencyKey | None = None,
        body_hash: str = "body",
    ) -> tuple[JobRecord, bool]:
        """Accept a job, a second after the one before it."""
        self.now += timedelta(seconds=1)
        return create_job(
            self.db,
            self.job(job) if isinstance(job, str) else job,
            uid=str(uuid.uuid4()),
            owner=owner,
            spec_hash="hash",
            now=self.now,
            idempotency=key,
            body_hash=body_hash,
        )

    def made(self, job: VPPOJob | str, *, owner: str = "ann") -> JobRecord:
        """The record of a job that is accepted now."""
        return self.create(job, owner=owner)[0]

    def reach(self, uid: str, phase: JobPhase, **status: Any) -> JobRecord:
        """The record after the loop wrote this phase."""
        record = write_plan(
            self.db,
            uid,
            status=VPPOJobStatus(phase=phase, **status),
            attempts=(),
            events=(),
            usage={},
            now=self.now,
        )
        assert record is not None
        return record


@pytest.fixture
def life(db: Database) -> Life:
    """Makes jobs and moves them on."""
    return Life(db)
