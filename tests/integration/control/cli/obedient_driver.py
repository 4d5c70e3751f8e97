"""A driver that trains nothing: it counts steps, writes what a run leaves, and stops when asked."""

import argparse
import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STEP_SECONDS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--job", "--output", "--attempt"):
        parser.add_argument(name, required=True)
    options, rest = parser.parse_known_args()
    run, attempt = Path(options.output), int(options.attempt)
    lock = int(os.environ["VPPO_RUN_LOCK_FD"])
    os.set_inheritable(lock, False)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    total = json.loads(Path(options.job).read_text())["spec"]["learner"]["numSteps"]
    first = step = saved(run) if "--resume" in rest else 0
    head: dict[str, Any] = {"attempt": attempt, "incarnation": str(os.getpid()), "firstStep": first}
    while step < total and not asked:
        time.sleep(STEP_SECONDS)
        step += 1
        mark = checkpoint(run, attempt, step)
        line = {"step": step, "time": time.time(), "reward_mean": step / total}
        append(run / "metrics.jsonl", line)
        record = {"time": stamp(), "level": "INFO", "role": "driver", "attempt": attempt}
        append(run / "log.jsonl", {**record, "step": step, "message": f"step {step} done"})
        progress = {"step": step, "totalSteps": total, "stage": "update", "stepSeconds": 0.1}
        more = {"stageSeconds": {"update": 0.1}, "checkpoint": mark, "time": stamp()}
        write(run, attempt, "progress.json", {**head, **progress, **more})
    outcome = "Succeeded" if step >= total else "Stopped"
    end = {"exitCode": 0, "outcome": outcome, "failureClass": "", "message": "", "ended": stamp()}
    steps = {"lastStep": step, "checkpointStep": step}
    write(run, attempt, "exit.json", {**head, **end, **steps})


def checkpoint(run: Path, attempt: int, step: int) -> dict[str, Any]:
    folder = run / "checkpoints" / f"step-{step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "COMPLETE").write_text("{}")
    mark = {"step": step, "uri": str(folder), "created": stamp()}
    facts = {"attempt": attempt, "sizeBytes": 2, "metrics": {"reward_mean": 0.5}}
    append(run / "checkpoints.jsonl", {**mark, **facts})
    return mark


def saved(run: Path) -> int:
    found = (run / "checkpoints").glob("step-*/COMPLETE")
    return max((int(path.parent.name.removeprefix("step-")) for path in found), default=0)


def append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a") as stream:
        stream.write(json.dumps(line) + "\n")


def write(run: Path, attempt: int, name: str, content: dict[str, Any]) -> None:
    path = run / "attempts" / str(attempt) / name
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(path)


def stamp() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    main()
