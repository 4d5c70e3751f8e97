"""A driver that trains nothing and keeps the protocol: lock, progress, checkpoints, exit.

`FAKE_STEP_SECONDS` is the time of a step; `FAKE_FAULT` is `mute` (dies without a report at its
second step), `fails` (reports a failure there), `deaf` (ignores SIGTERM) or `orphan` (leaves a
process in a session of its own behind).
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Driver:
    def __init__(self, options: argparse.Namespace) -> None:
        self.run = Path(options.output)
        self.attempt = int(options.attempt)
        self.folder = self.run / "attempts" / str(self.attempt)
        job = json.loads(Path(options.job).read_text())
        self.total = int(job["spec"]["learner"]["numSteps"])
        self.step_seconds = float(os.environ.get("FAKE_STEP_SECONDS", "0.05"))
        self.fault = os.environ.get("FAKE_FAULT", "")
        self.is_asked = False
        self.first = self.step = self._saved() if options.resume else 0
        self.checkpoint: dict[str, Any] | None = None

    def take_lock(self) -> None:
        descriptor = int(os.environ["VPPO_RUN_LOCK_FD"])
        os.set_inheritable(descriptor, False)
        with (self.run / ".lock").open() as fresh:
            try:
                fcntl.flock(fresh, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                sys.exit("the lock that was handed over is not held")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        with (self.run / "starts.txt").open("a") as starts:
            starts.write(f"{self.attempt} {os.getpid()}\n")

    def train(self) -> str:
        signal.signal(signal.SIGTERM, self._on_signal)
        self.report("starting")
        if self.fault == "orphan":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]).poll()
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True
            ).poll()
        while self.step < self.total and not self.is_asked:
            time.sleep(self.step_seconds)
            self.step += 1
            if self.step - self.first == 2 and self.fault == "mute":
                print("out of luck", flush=True)  # noqa: T201 - its output is what is looked at
                os._exit(7)
            if self.step - self.first == 2 and self.fault == "fails":
                return "Failed"
            self.metrics()
            self.save()
            self.report("sample")
        return "Succeeded" if self.step >= self.total else "Stopped"

    def metrics(self) -> None:
        with (self.run / "metrics.jsonl").open("a") as file:
            line = {"reward_mean": 0.1 * self.step, "step": self.step, "time": time.time()}
            file.write(json.dumps(line) + "\n")

    def save(self) -> None:
        folder = self.run / "checkpoints" / f"step-{self.step:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "COMPLETE").write_text("{}")
        created = datetime.now(UTC).isoformat()
        self.checkpoint = {"step": self.step, "uri": str(folder), "created": created}
        facts = {"attempt": self.attempt, "sizeBytes": 2, "metrics": {"reward_mean": 0.5}}
        with (self.run / "checkpoints.jsonl").open("a") as file:
            file.write(json.dumps({**self.checkpoint, **facts}) + "\n")

    def report(self, stage: str) -> None:
        self._write(
            "progress.json",
            {
                "totalSteps": self.total,
                "step": self.step,
                "stage": stage,
                "stageSeconds": {"sample": self.step_seconds},
                "stepSeconds": self.step_seconds,
                "checkpoint": self.checkpoint,
                "time": datetime.now(UTC).isoformat(),
            },
        )

    def end(self, outcome: str) -> int:
        code = 1 if outcome == "Failed" else 0
        self._write(
            "exit.json",
            {
                "exitCode": code,
                "outcome": outcome,
                "failureClass": "InvalidData" if code else "",
                "message": "data.source is no good" if code else "",
                "lastStep": self.step,
                "checkpointStep": self.checkpoint["step"] if self.checkpoint else None,
                "ended": datetime.now(UTC).isoformat(),
            },
        )
        return code

    def _write(self, name: str, content: dict[str, Any]) -> None:
        head = {"attempt": self.attempt, "incarnation": str(os.getpid()), "firstStep": self.first}
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps({**head, **content}))
        part.replace(self.folder / name)

    def _saved(self) -> int:
        found = (self.run / "checkpoints").glob("step-*/COMPLETE")
        return max((int(path.parent.name.removeprefix("step-")) for path in found), default=0)

    def _on_signal(self, *_: object) -> None:
        self.is_asked = self.fault != "deaf"


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--job", "--output", "--attempt"):
        parser.add_argument(name, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    driver = Driver(parser.parse_args())
    driver.take_lock()
    return driver.end(driver.train())


if __name__ == "__main__":
    sys.exit(main())
