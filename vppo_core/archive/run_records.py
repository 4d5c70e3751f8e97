"""What the files of a run give back, wherever they lie: pages of metrics and logs, artifacts."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Generic[Line]):
    """Some lines of a growing file and the position behind them."""

    items: tuple[Line, ...]
    positions: tuple[str, ...]
    """Position behind each line: reading `after` it gives the next one. Opaque, one line."""

    end: str
    """Position behind the last line read; equal to the position asked for when nothing is new."""

    is_reset: bool = False
    """Whether the position asked for is gone (the file was cut for a resumed attempt): these lines
    start at the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsLine:
    """The numbers of one step."""

    step: int
    time_seconds: float
    """Since the epoch."""

    values: dict[str, float | None]
    """By catalogue reference, `reward_mean` or `stage_seconds{sample}`; None was not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the structured log."""

    time: str
    level: str
    role: str
    attempt: int
    step: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run left behind."""

    path: str
    """Below the run's folder, `/` between parts."""

    size_bytes: int
    modified_seconds: float
    """Since the epoch."""

    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """What it takes to repeat a run."""

    facts: dict[str, Any]
    """`seed`, `specHash`, `dataFingerprint`, `vppoVersion`, `packages`, `python`, `machine`, ..."""
