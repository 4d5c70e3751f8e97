"""A played driver: trains a step a step, saves, obeys, and leaves the files of a run behind.

What it writes lies on the job's volume; as its courier and the operator's receiver would do, every
step copies the mirrored files into the operator's state folder, unless the two do not reach one
another.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from vppo_core.runs.files import StopFile
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import AttemptFile, is_mirrored, is_of_attempt
from vppo_core.runs.writing import append_line, write_atomically


@dataclass(slots=True)
class Trouble:
    """What befalls an attempt."""

    at_step: int
    outcome: str = "Failed"
    exit_code: int = 1
    failure_class: str = "Unknown"
    message: str = "ValueError: bad luck"
    is_silent: bool = False
    """It dies without a report, as a process that is killed does."""


@dataclass(slots=True)
class Script:
    """How the drivers of a job behave."""

    save_every: int = 5
    step_seconds: float = 10.0
    trouble: dict[int, Trouble] = field(default_factory=dict)
    """By attempt."""

    ignores_stop: bool = False
    hangs_at: int | None = None
    """Step after which nothing happens any more, while the process lives."""

    is_cut_off: bool = False
    """Nothing it sends arrives, and it hears nothing."""


class PlayedDriver:
    """A driver in a head pod, as the Ray job that KubeRay started.

    Args:
        attempt: what the ConfigMap says it is.
        steps: to do.
        volume: where run folders lie for it.
        state: the operator's folder; the mirror is `jobs/<uid>` below it.
        receiver: what it is answered when it reports.
    """

    _incarnations = 0

    def __init__(
        self,
        attempt: AttemptFile,
        *,
        steps: int,
        micro_batch: int,
        script: Script,
        volume: Path,
        state: Path,
        now: Callable[[], datetime],
        receiver: Callable[[AttemptFile], "Reply"],
    ) -> None:
        PlayedDriver._incarnations += 1
        self.attempt = attempt
        self.incarnation = f"{PlayedDriver._incarnations:016x}"
        self.job_status = "RUNNING"
        self.message = ""
        self.micro_batch = micro_batch
        self._script = script
        self._now = now
        self._receiver = receiver
        self._steps = steps
        self._folder = RunFolder(volume / attempt.uid)
        self._mirror = RunFolder.of(state / "jobs", attempt.uid)
        self._first: int | None = None
        self._step = 0
        self._saved: dict[str, Any] | None = None
        self._stop_wanted = False
        self._write_progress()

    @property
    def steps_done(self) -> int:
        """Steps of training that are done."""
        return self._step

    def stop(self) -> None:
        """SIGTERM, or the pod's preStop hook: save and end."""
        self._stop_wanted = True

    def kill(self) -> None:
        """The pod is gone."""
        if self.job_status == "RUNNING":
            self.job_status = "FAILED"
            self.message = "The head died"

    def step(self) -> None:
        """Do what fits into a step of the world, then send the files."""
        if self.job_status != "RUNNING":
            return
        self._work()
        self._send()

    def _work(self) -> None:
        if self._first is None:
            self._resume()
        elif self._stop_wanted and not self._script.ignores_stop:
            self._end("Stopped", 0, saves=True)
        elif self._step == self._script.hangs_at:
            return
        elif self._step >= self._steps:
            self._end("Succeeded", 0, saves=True)
        else:
            self._train()

    def _train(self) -> None:
        trouble = self._script.trouble.get(self.attempt.attempt)
        if trouble is not None and self._step >= trouble.at_step:
            if trouble.is_silent:
                self.job_status, self.message = "FAILED", trouble.message
            else:
                self._end(
                    trouble.outcome,
                    trouble.exit_code,
                    failure_class=trouble.failure_class,
                    message=trouble.message,
                )
            return
        self._step += 1
        if self._step % self._script.save_every == 0:
            self._save()
        self._write_progress()

    def _resume(self) -> None:
        lines = self._lines()
        newest = max(lines, key=lambda line: int(line["step"]), default=None)
        self._first = self._step = int(newest["step"]) if newest else 0
        if newest:
            self._saved = {key: newest[key] for key in ("step", "uri", "created")}
        self._write_progress()

    def _lines(self) -> list[dict[str, Any]]:
        path = self._folder.checkpoint_lines
        return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []

    def _save(self) -> None:
        if self._saved and self._saved["step"] == self._step:
            return
        uri = f"{self.attempt.output}/checkpoints/step_{self._step}"
        created = self._now().isoformat()
        self._saved = {"step": self._step, "uri": uri, "created": created}
        self._folder.path.mkdir(parents=True, exist_ok=True)
        line = self._saved | {"attempt": self.attempt.attempt, "sizeBytes": 10, "metrics": {}}
        append_line(self._folder.checkpoint_lines, json.dumps(line))

    def _end(
        self,
        outcome: str,
        exit_code: int,
        *,
        failure_class: str = "",
        message: str = "",
        saves: bool = False,
    ) -> None:
        if saves and self._step > 0:
            self._save()
        self._write_progress()
        self.job_status = "SUCCEEDED" if exit_code == 0 else "FAILED"
        self.message = f"Job ended with exit code {exit_code}. {message}"
        report = {
            "attempt": self.attempt.attempt,
            "incarnation": self.incarnation,
            "exitCode": exit_code,
            "outcome": outcome,
            "failureClass": failure_class,
            "message": message,
            "firstStep": self._first,
            "lastStep": self._step,
            "checkpointStep": self._saved["step"] if self._saved else 0,
            "ended": self._now().isoformat(),
        }
        self._write(self._folder.exit(self.attempt.attempt), report)

    def _write_progress(self) -> None:
        progress = {
            "attempt": self.attempt.attempt,
            "incarnation": self.incarnation,
            "firstStep": self._first,
            "step": self._step,
            "totalSteps": self._steps,
            "stage": "starting" if self._first is None else "rollout",
            "stepSeconds": self._script.step_seconds if self._step else None,
            "checkpoint": self._saved,
            "time": self._now().isoformat(),
        }
        self._write(self._folder.progress(self.attempt.attempt), progress)

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        write_atomically(path, json.dumps(content))

    def _send(self) -> None:
        if self._script.is_cut_off:
            return
        reply = self._receiver(self.attempt)
        if not reply.is_up:
            return
        if reply.is_gone or reply.stop is not None:
            self.stop()
        if reply.is_gone:
            return
        index = self.attempt.attempt
        self._mirror.attempt(index).mkdir(parents=True, exist_ok=True)
        self._mirror.launched(index).touch()
        self._date(self._mirror.launched(index))
        for path in self._folder.path.rglob("*"):
            inner = path.relative_to(self._folder.path).as_posix()
            if path.is_file() and is_mirrored(inner) and is_of_attempt(inner, index):
                self._copy(path, self._mirror.path / inner)

    def _copy(self, path: Path, copy: Path) -> None:
        if copy.exists() and copy.read_bytes() == path.read_bytes():
            return
        write_atomically(copy, path.read_text())
        self._date(copy)

    def _date(self, path: Path) -> None:
        """Files are as old as the world says, not the machine."""
        now = self._now().timestamp()
        os.utime(path, (now, now))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the operator's receiver answers to a report."""

    is_up: bool = True
    is_gone: bool = False
    """No such job or attempt: the driver stops as if asked."""

    stop: StopFile | None = None
