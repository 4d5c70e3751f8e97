"""What a run leaves for people: metrics, logs, artifacts, sampled answers."""

import json
import math
import mimetypes
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.run_records import Artifact, Lines, LogLine, MetricsLine
from vppo_core.runs.folder import RunFolder
from vppo_services.local.lines import read_lines

FILES: Final = (
    "report.html",
    "summary.json",
    "job.json",
    "metrics.jsonl",
    "log.jsonl",
    "checkpoints.jsonl",
    "quarantine.jsonl",
)
FOLDERS: Final = ("model", "spotlight", "attempts")
"""Below these everything is an artifact. Checkpoints, locks and spools never are."""

MAX_ARTIFACTS: Final = 10_000

_MEDIA_TYPES: Final = {".jsonl": "application/x-ndjson", ".out": "text/plain"}
_SPOTLIGHT: Final = re.compile(r"step-([0-9]{6,9})\.json")


def read_metrics(run: RunFolder, *, after: str, limit: int) -> Lines[MetricsLine]:
    """Numbers of steps behind a position.

    Raises:
        BadCursorError: a position that no reply gave.
    """
    return read_lines(run.metrics, _metrics_line, after=after, limit=limit)


def read_logs(run: RunFolder, *, after: str, limit: int) -> Lines[LogLine]:
    """Log lines behind a position.

    Raises:
        BadCursorError: a position that no reply gave.
    """
    return read_lines(run.log, _log_line, after=after, limit=limit)


def artifacts(run: RunFolder) -> tuple[Artifact, ...]:
    """Files that the run left behind, by path; links are left out."""
    found = []
    for path in _candidates(run.path):
        try:
            facts = path.lstat()
        except OSError:
            continue
        if not stat.S_ISREG(facts.st_mode) or path.suffix == ".part":
            continue
        found.append(
            Artifact(
                path=path.relative_to(run.path).as_posix(),
                size_bytes=facts.st_size,
                modified_seconds=facts.st_mtime,
                media_type=media_type(path),
            )
        )
        if len(found) == MAX_ARTIFACTS:
            break
    return tuple(sorted(found, key=lambda one: one.path))


def artifact_path(run: RunFolder, path: str) -> Path:
    """Where an artifact lies.

    Raises:
        JobNotFoundError: no such file, no artifact, or one reached through a link or `..`.
    """
    parts = PurePosixPath(path).parts
    is_listed = path in FILES or (len(parts) > 1 and parts[0] in FOLDERS)
    if is_listed and "\0" not in path and not {"..", "."} & set(path.split("/")):
        place = run.path.joinpath(*parts)
        root = run.path.resolve()
        try:
            is_plain = place.resolve(strict=True) == root.joinpath(*parts) and place.is_file()
        except (OSError, RuntimeError):
            is_plain = False
        if is_plain:
            return place
    raise JobNotFoundError(
        f"the job has no artifact '{path[:200]}'; its artifacts are listed without a path"
    )


def media_type(path: Path) -> str:
    """Media type of a file by its name."""
    known = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return known or "application/octet-stream"


def spotlight_steps(run: RunFolder) -> tuple[int, ...]:
    """Steps with sampled answers, oldest first."""
    try:
        names = [path.name for path in run.spotlight.iterdir()]
    except OSError:
        return ()
    return tuple(sorted(int(m[1]) for name in names if (m := _SPOTLIGHT.fullmatch(name))))


def spotlight(run: RunFolder, step: int) -> dict[str, Any]:
    """Sampled answers of a step.

    Raises:
        JobNotFoundError: there are none, or they cannot be read.
    """
    path = run.spotlight / f"step-{step:06d}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        steps = ", ".join(map(str, spotlight_steps(run)[-10:])) or "none so far"
        raise JobNotFoundError(
            f"the job has no sampled answers of step {step}; choose one of these: {steps}"
        )
    return content


def _candidates(root: Path) -> Iterator[Path]:
    yield from (root / name for name in FILES)
    for name in FOLDERS:
        folder = root / name
        if folder.is_symlink():
            continue
        yield from folder.rglob("*")


def _metrics_line(text: bytes) -> MetricsLine | None:
    line = _mapping(text)
    step, time = line.pop("step", None), _finite(line.pop("time", None))
    if not isinstance(step, int):
        return None
    values = {
        name: _finite(value)
        for name, value in line.items()
        if value is None or isinstance(value, int | float)
    }
    return MetricsLine(step=step, time_seconds=time or 0.0, values=values)


def _finite(value: object) -> float | None:
    """None for what JSON cannot carry on: NaN, infinities, numbers beyond a double."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _log_line(text: bytes) -> LogLine | None:
    line = _mapping(text)
    if not line:
        return None
    step, attempt = line.get("step"), line.get("attempt")
    message, exception = str(line.get("message", "")), line.get("exception")
    return LogLine(
        time=str(line.get("time", "")),
        level=str(line.get("level", "")),
        role=str(line.get("role", "")),
        attempt=attempt if isinstance(attempt, int) else 0,
        step=step if isinstance(step, int) else None,
        message=f"{message}\n{exception}" if exception else message,
    )


def _mapping(text: bytes) -> dict[str, Any]:
    """The object in a line; empty when it is torn."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}
