"""What is known of a complete checkpoint: its `COMPLETE` file, and its line in the run's list."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from vppo_core.runs.writing import append_line

_log = logging.getLogger(__name__)

CHECKPOINTS_FILE: Final = "checkpoints.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCheckpoint:
    """A complete checkpoint."""

    step: int
    uri: str
    attempt: int
    created: str  # RFC 3339
    size_bytes: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Numbers of its step by catalogue key, for whoever chooses among checkpoints."""

    @property
    def created_seconds(self) -> float:
        """When it was complete, since the epoch."""
        return datetime.fromisoformat(self.created).timestamp()

    def as_json(self) -> dict[str, Any]:
        """The object of both files."""
        return {
            "step": self.step,
            "uri": self.uri,
            "attempt": self.attempt,
            "created": self.created,
            "sizeBytes": self.size_bytes,
            "metrics": dict(self.metrics),
        }

    @classmethod
    def from_json(cls, text: bytes, *, step: int, uri: str) -> Self:
        """Read a `COMPLETE` file; what an earlier version, or a damaged file, leaves out is 0.

        Args:
            step, uri: of the folder that the file was found in.
        """
        try:
            facts = json.loads(text)
            written = datetime.fromtimestamp(float(facts.get("time", 0.0)), UTC).isoformat()
            datetime.fromisoformat(str(facts.get("created", written)))
            return cls(
                step=step,
                uri=uri,
                attempt=int(facts.get("attempt", 0)),
                created=str(facts.get("created", written)),
                size_bytes=int(facts.get("sizeBytes", 0)),
                metrics=dict(facts.get("metrics", {})),
            )
        except (ValueError, TypeError, AttributeError) as error:
            _log.warning("the COMPLETE file of step %d is damaged: %s", step, error)
            created = datetime.fromtimestamp(0.0, UTC).isoformat()
            return cls(step=step, uri=uri, attempt=0, created=created, size_bytes=0)


class CheckpointList:
    """`checkpoints.jsonl` of a run: a line for each checkpoint that ever was complete."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CHECKPOINTS_FILE

    def add(self, checkpoint: SavedCheckpoint) -> None:
        """Add a line; what the disk refuses is logged, the checkpoint itself stands."""
        try:
            append_line(self._path, json.dumps(checkpoint.as_json()))
        except OSError as error:
            _log.warning("the checkpoint of step %d was not listed: %s", checkpoint.step, error)

    def steps(self) -> set[int]:
        """Steps that have a line; a damaged line has none."""
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return set()
        return {step for line in lines if (step := _step(line)) is not None}


def _step(line: str) -> int | None:
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError):
        return None
    return step if isinstance(step, int) else None
