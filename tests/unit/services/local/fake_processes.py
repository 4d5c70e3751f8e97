"""Drivers without processes: files and a lock, played by hand."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vppo_core.runs.folder import RunFolder
from vppo_services.local.launch_plan import mark_of
from vppo_services.local.processes import MARK

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeDriver:
    """A driver as files and a lock: it trains when it is told to."""

    pid: int
    mark: str
    run: RunFolder
    index: int
    lock: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    first: int
    step: int
    total: int
    signals: int = 0
    leftovers: bool = True
    ended: bool = False

    @property
    def is_alive(self) -> bool:
        return not self.ended

    def report(self, now: datetime, stage: str = "sample") -> None:
        content = {
            "attempt": self.index,
            "incarnation": f"{self.pid:x}",
            "firstStep": self.first,
            "step": self.step,
            "totalSteps": self.total,
            "stage": stage,
            "stageSeconds": {"sample": 1.0},
            "stepSeconds": 1.0,
            "checkpoint": None,
            "time": now.isoformat(),
        }
        self.run.progress(self.index).write_text(json.dumps(content))

    def train(self, now: datetime) -> None:
        """One step, saved; the last one, or one after a signal, ends the run."""
        self.step += 1
        self.save(now)
        self.report(now)
        if self.step >= self.total:
            self.end(now, "Succeeded")
        elif self.signals:
            self.end(now, "Stopped")

    def save(self, now: datetime) -> None:
        folder = self.run.checkpoints / f"step-{self.step:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "COMPLETE").write_text("{}")
        line = {
            "step": self.step,
            "uri": str(folder),
            "attempt": self.index,
            "created": now.isoformat(),
            "sizeBytes": 2,
            "metrics": {"reward_mean": 0.5, "accuracy_mean": None},
        }
        with self.run.checkpoint_lines.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def end(self, now: datetime, outcome: str, **facts: Any) -> None:
        """With a report and without anything left behind."""
        self.last_word(now, outcome, **facts)
        self.leftovers = False
        self.die()

    def last_word(self, now: datetime, outcome: str, **facts: Any) -> None:
        content = {
            "attempt": self.index,
            "incarnation": f"{self.pid:x}",
            "exitCode": 0 if outcome != "Failed" else 1,
            "outcome": outcome,
            "failureClass": "",
            "message": "",
            "firstStep": self.first,
            "lastStep": self.step,
            "checkpointStep": self.step,
            "ended": now.isoformat(),
            **facts,
        }
        self.run.exit(self.index).write_text(json.dumps(content))

    def die(self) -> None:
        """At once, without a word."""
        if not self.ended:
            self.ended = True
            os.close(self.lock)


@dataclass
class FakeProcesses:
    """The processes of a machine that outlives the server."""

    total: int = 3
    drivers: list[FakeDriver] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    on_effect: Callable[[str], None] = lambda _: None
    """Told before and after each thing that is done; it may raise."""

    swept: list[str] = field(default_factory=list)

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str], output: Path, lock: int
    ) -> int:
        self.on_effect("spawn")
        pid = 1000 + len(self.drivers)
        run = RunFolder(Path(command[command.index("--output") + 1]))
        index = int(command[command.index("--attempt") + 1])
        output.write_text("")
        saved = 0
        if "--resume" in command and run.checkpoints.exists():
            names = [p.parent.name for p in run.checkpoints.glob("*/COMPLETE")]
            saved = max((int(name.removeprefix("step-")) for name in names), default=0)
        driver = FakeDriver(
            pid=pid,
            mark=environment[MARK],
            run=run,
            index=index,
            lock=os.dup(lock),
            command=tuple(command),
            environment=dict(environment),
            first=saved,
            step=saved,
            total=self.total,
        )
        run.lock.write_text(str(pid))
        self.drivers.append(driver)
        self.on_effect("spawned")
        return pid

    def is_driver(self, pid: int, folder: Path) -> bool:
        return any(d.pid == pid and d.is_alive and d.run.path == folder for d in self.drivers)

    def terminate(self, pid: int) -> None:
        self.on_effect("terminate")
        for driver in self.drivers:
            if driver.pid == pid and driver.is_alive:
                driver.signals += 1
        self.on_effect("terminated")

    def kill(self, pid: int | None, mark: str) -> None:
        self.on_effect("kill")
        self.swept.append(mark)
        for driver in self.drivers:
            if driver.pid == pid or driver.mark == mark:
                driver.die()
                driver.leftovers = False
        self.on_effect("killed")

    def exit_code(self, mark: str) -> int | None:
        return self.codes.get(mark)

    def alive(self, uid: str | None = None) -> list[FakeDriver]:
        return [
            d for d in self.drivers if d.is_alive and (uid is None or d.mark.startswith(f"{uid}/"))
        ]

    def of(self, uid: str, index: int) -> FakeDriver:
        return next(d for d in self.drivers if d.mark == mark_of(uid, index))
