"""Where everything of a job lies on this machine."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vppo_core.archive.errors import JobNotFoundError

_UID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The run folder of one job; the driver writes into it, the launcher reads it."""

    path: Path
    """Absolute: the driver is recognised by it."""

    @classmethod
    def of(cls, jobs_folder: Path, uid: str) -> "RunFolder":
        """The folder of a job.

        Raises:
            JobNotFoundError: the uid could not be that of any job.
        """
        if not _UID.fullmatch(uid):
            raise JobNotFoundError(f"a job's uid must be letters, digits and '-', got '{uid[:80]}'")
        return cls(jobs_folder.absolute() / uid)

    @property
    def job(self) -> Path:
        """The resolved job of the newest attempt."""
        return self.path / "job.json"

    @property
    def lock(self) -> Path:
        """Locked as long as a driver lives; holds its process id."""
        return self.path / ".lock"

    @property
    def metrics(self) -> Path:
        """A line for each step."""
        return self.path / "metrics.jsonl"

    @property
    def endpoint(self) -> Path:
        """Where the run's own `/metrics` and those of Ray's agents are."""
        return self.path / "metrics.json"

    @property
    def log(self) -> Path:
        """A line for each record."""
        return self.path / "log.jsonl"

    @property
    def checkpoint_lines(self) -> Path:
        """A line for each complete checkpoint."""
        return self.path / "checkpoints.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of a job that names no other place."""
        return self.path / "checkpoints"

    @property
    def spotlight(self) -> Path:
        """Sampled answers of some steps."""
        return self.path / "spotlight"

    def attempt(self, index: int) -> Path:
        """What belongs to one attempt alone."""
        return self.path / "attempts" / str(index)

    def launched(self, index: int) -> Path:
        """Evidence that the attempt was started."""
        return self.attempt(index) / "launched"

    def environment(self, index: int) -> Path:
        """Versions that the attempt was started with."""
        return self.attempt(index) / "environment.json"

    def stop(self, index: int) -> Path:
        """The request to stop the attempt."""
        return self.attempt(index) / "stop.json"

    def progress(self, index: int) -> Path:
        """How far the attempt is."""
        return self.attempt(index) / "progress.json"

    def exit(self, index: int) -> Path:
        """How the attempt ended."""
        return self.attempt(index) / "exit.json"

    def output(self, index: int) -> Path:
        """What the attempt wrote to its standard output and error."""
        return self.attempt(index) / "driver.out"

    def signs(self, index: int) -> tuple[Path, ...]:
        """Files that tell by their age when the attempt lived last."""
        return self.progress(index), self.output(index), self.launched(index)

    def newest_launched(self) -> int:
        """The highest attempt that was ever started; 0 before the first."""
        found = (self.path / "attempts").glob("*/launched")
        return max((int(p.parent.name) for p in found if p.parent.name.isdigit()), default=0)
