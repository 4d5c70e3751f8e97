"""A driver that trains nothing but leaves all that the page shows, and saves when it is stopped."""

import argparse
import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STEP_SECONDS = 0.15
TOTAL = 400
EVERY = 10


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
    head = {"attempt": attempt, "incarnation": str(os.getpid())}
    step = head["firstStep"] = newest(run) if "--resume" in rest else 0
    mark = checkpoint(run, attempt, step) if step else None
    while step < TOTAL and not asked:
        time.sleep(STEP_SECONDS)
        step += 1
        numbers = {"reward_mean": step / TOTAL, "accuracy_mean": 0.5, "stage_seconds{update}": 0.1}
        append(run / "metrics.jsonl", {"step": step, "time": time.time(), **numbers})
        line = {"time": stamp(), "level": "info", "role": "driver", "attempt": attempt}
        append(run / "log.jsonl", {**line, "step": step, "message": f"step {step} <b>done</b>"})
        if step % EVERY == 0 or asked:
            mark = checkpoint(run, attempt, step)
        progress = {"step": step, "totalSteps": TOTAL, "stage": "update", "stepSeconds": 0.15}
        more = {"stageSeconds": {"update": 0.1}, "checkpoint": mark, "time": stamp()}
        write(run / "attempts" / str(attempt) / "progress.json", {**head, **progress, **more})
    checkpoint(run, attempt, step)
    end = {"exitCode": 0, "outcome": "Stopped" if asked else "Succeeded", "failureClass": ""}
    steps = {"message": "", "lastStep": step, "checkpointStep": step, "ended": stamp()}
    write(run / "attempts" / str(attempt) / "exit.json", {**head, **end, **steps})


def checkpoint(run: Path, attempt: int, step: int) -> dict[str, Any]:
    folder = run / "checkpoints" / f"step-{step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "COMPLETE").write_text("{}")
    mark = {"step": step, "uri": str(folder), "created": stamp()}
    facts = {"attempt": attempt, "sizeBytes": 2, "metrics": {"reward_mean": 0.5}}
    append(run / "checkpoints.jsonl", {**mark, **facts})
    write(run / "spotlight" / f"step-{step:06d}.json", answers(step, attempt))
    return mark


def answers(step: int, attempt: int) -> dict[str, Any]:
    sample = {
        "problem": "name the colours",
        "reference": "red",
        "tokens": ["It", " is", " red", "<|im_end|>"],
        "dependency": [0.0, 0.01, 2.5, None],
        "kept": [False, False, True, False],
        "reward": 1.0,
        "advantage": 0.9,
        "shapingWeight": 1.05,
        "trajectoryDependency": 0.6,
        "imagePng": "",
        "maskedPng": "",
    }
    return {"step": step, "attempt": attempt, "samples": [sample]}


def newest(run: Path) -> int:
    found = (run / "checkpoints").glob("step-*/COMPLETE")
    return max((int(path.parent.name.removeprefix("step-")) for path in found), default=0)


def append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a") as stream:
        stream.write(json.dumps(line) + "\n")


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(path)


def stamp() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    main()
