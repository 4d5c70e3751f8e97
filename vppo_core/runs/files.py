"""What a driver leaves in its run folder, read back; what is missing or damaged reads as absent."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from vppo_core.archive.records import CheckpointRecord
from vppo_core.runs.writing import write_atomically

File = TypeVar("File", bound="DriverFile")


class DriverFile(BaseModel):
    """A JSON file on the way between driver and launcher; unknown fields are of a newer driver."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    @classmethod
    def read(cls: type[File], path: Path) -> File | None:
        """The file's content; None when there is none that can be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


class CheckpointMark(DriverFile):
    """A complete checkpoint."""

    step: int
    uri: str
    created: AwareDatetime


class ProgressFile(DriverFile):
    """`progress.json`: how far an attempt is."""

    attempt: int
    incarnation: str = ""
    first_step: int | None = None
    """The step that it goes on from; None until it has looked at the checkpoints."""

    step: int = 0
    total_steps: int = 0
    stage: str = ""
    stage_seconds: dict[str, float] = {}
    step_seconds: float | None = None
    checkpoint: CheckpointMark | None = None
    time: AwareDatetime


class ExitFile(DriverFile):
    """`exit.json`: how an attempt ended."""

    attempt: int
    exit_code: int
    outcome: str
    failure_class: str | None = ""
    message: str | None = ""
    first_step: int | None = None
    last_step: int | None = None
    checkpoint_step: int | None = None
    ended: AwareDatetime


class StopFile(DriverFile):
    """`stop.json`, written by the launcher: the request to stop an attempt."""

    reason: str
    requested: AwareDatetime
    deadline: AwareDatetime
    is_signalled: bool = False
    """Whether it is sure that the driver got its signal."""


class CheckpointLine(DriverFile):
    """A line of `checkpoints.jsonl`."""

    step: int
    uri: str
    attempt: int
    created: AwareDatetime
    size_bytes: int = 0
    metrics: dict[str, float | None] = {}

    def as_record(self) -> CheckpointRecord:
        """The row of the archive; values that were not finite are left out."""
        return CheckpointRecord(
            step=self.step,
            uri=self.uri,
            attempt=self.attempt,
            size_bytes=self.size_bytes,
            created=self.created,
            metrics={name: value for name, value in self.metrics.items() if value is not None},
        )


def checkpoint_lines(path: Path) -> dict[int, CheckpointLine]:
    """The last line of each step of a `checkpoints.jsonl`, by step."""
    found = {}
    for text in _lines(path):
        try:
            line = CheckpointLine.model_validate_json(text)
        except ValidationError:
            continue
        found[line.step] = line
    return found


def last_words(path: Path, *, limit: int = 400) -> str:
    """The last line of a driver's output, shortened; empty when it said nothing."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 8192))
            lines = stream.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:limit] if said else ""


def last_sign(paths: tuple[Path, ...]) -> datetime | None:
    """When one of the files was written last; None when none exists."""
    times = []
    for path in paths:
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return datetime.fromtimestamp(max(times)).astimezone() if times else None


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    yield from (line for line in text.split("\n") if line.strip())


def write_json(path: Path, content: DriverFile) -> None:
    """Replace a file by its new content, whole or not at all.

    Raises:
        OSError: the disk is full or refuses.
    """
    write_atomically(path, json.dumps(content.model_dump(mode="json", by_alias=True)) + "\n")
