"""Where the pages of running attempts are, for a Prometheus on the same machine."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vppo_core.archive.records import JobRecord
from vppo_core.runs.files import DriverFile
from vppo_core.runs.folder import RunFolder

_ANYWHERE: Final = ("0.0.0.0", "::")
_MAX_PAGES: Final = 64


class PageKind(StrEnum):
    """Which pages are asked for."""

    RUNS = "runs"
    """Those of drivers."""

    RAY = "ray"
    """Those of Ray's agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of a running attempt."""

    kind: PageKind
    job: str
    namespace: str
    attempt: int
    address: str
    """Host and port."""

    path: str


class EndpointFile(DriverFile):
    """`metrics.json`: the pages of a run."""

    url: str = ""
    ray: tuple[str, ...] = ()


def pages_of(record: JobRecord, run: RunFolder) -> Iterator[RunPage]:
    """The pages of the attempt of a job that lives; none where it did not say so, or where what
    it said is of an attempt before."""
    attempt = record.status.attempts[-1] if record.status.attempts else None
    if attempt is None or attempt.ended is not None:
        return
    path = run.endpoint
    if not _is_newer(path, run.launched(attempt.index)):
        return
    file = EndpointFile.read(path) or EndpointFile()
    urls = [(PageKind.RUNS, file.url), *((PageKind.RAY, url) for url in file.ray[:_MAX_PAGES])]
    for kind, url in urls:
        place = _place(url)
        if place is not None:
            yield RunPage(
                kind=kind,
                job=record.name,
                namespace=record.namespace,
                attempt=attempt.index,
                address=place[0],
                path=place[1],
            )


def pages_of_all(records: Iterable[JobRecord], jobs_folder: Path) -> tuple[RunPage, ...]:
    """The pages of all running attempts."""
    return tuple(
        page
        for record in records
        if not record.phase.is_final
        for page in pages_of(record, RunFolder.of(jobs_folder, record.uid))
    )


def _is_newer(path: Path, than: Path) -> bool:
    try:
        return path.stat().st_mtime >= than.stat().st_mtime
    except OSError:
        return False


def _place(url: str) -> tuple[str, str] | None:
    """Host with port, and path; None for what is no page that Prometheus could ask for."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme != "http" or not host or not port or parts.username is not None:
        return None
    host = "127.0.0.1" if host in _ANYWHERE else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", parts.path or "/metrics"
