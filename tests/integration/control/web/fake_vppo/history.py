"""Made-up metrics, logs, events, checkpoints and files of a job."""

import math
import random
from datetime import timedelta
from typing import Any

from objects import GIB, STAGE_SECONDS, TOTAL, ago

EVENTS = (
    ("Audit", "lena", "Created", "the job was accepted"),
    ("Normal", "vppo", "Queued", "position 1 in queue gpu"),
    ("Normal", "vppo", "AttemptStarted", "attempt 1 starts on pool h100"),
    ("Normal", "vppo", "CheckpointSaved", "step 50 is saved"),
    ("Warning", "vppo", "AttemptLost", "attempt 1 vanished after step 61: its node is not ready"),
    ("Normal", "vppo", "AttemptStarted", "attempt 2 goes on from step 50"),
    ("Audit", "tom", "PauseRequested", "the job was asked to pause"),
    ("Normal", "vppo", "Paused", "step 92 is saved"),
    ("Audit", "lena", "ResumeRequested", "the job was asked to go on"),
    ("Normal", "vppo", "CheckpointSaved", "step 120 is saved"),
)


def metrics(step: int) -> dict[str, Any]:
    """Numbers of a step, on a curve that learns."""
    rng = random.Random(step)
    learnt = 1 - math.exp(-step / 55)
    values: dict[str, float | None] = {
        "accuracy_mean": 0.18 + 0.55 * learnt + rng.gauss(0, 0.025),
        "reward_mean": 0.22 + 0.58 * learnt + rng.gauss(0, 0.025),
        "token_dependency_mean": 0.02 + 0.11 * learnt + rng.gauss(0, 0.006),
        "token_dependency_p90": 0.09 + 0.31 * learnt + rng.gauss(0, 0.02),
        "response_tokens_mean": 210 + 190 * learnt + rng.gauss(0, 14),
        "response_tokens_max": 600 + 420 * learnt + rng.gauss(0, 60),
    }
    stages = {stage: s * rng.uniform(0.9, 1.15) for stage, s in STAGE_SECONDS.items()}
    values |= {f"stage_seconds{{{stage}}}": seconds for stage, seconds in stages.items()}
    values["step_seconds"] = sum(stages.values())
    if step % 20 == 0:
        values["evaluation_accuracy"] = 0.24 + 0.44 * learnt
    moment = ago(seconds=12.4 * (TOTAL - step)).timestamp()
    return {"step": step, "time": moment, "values": values}


def log_line(index: int) -> dict[str, Any]:
    """A line of the log; now and then a warning or an error."""
    step = index // 4
    level, role, message = "info", "driver", f"step {step} done in {12 + index % 3}.{index % 10} s"
    if index % 4 == 1:
        level, role, message = "debug", "rollout", f"sampled 512 answers, {index % 7} truncated"
    if index % 37 == 36:
        level, role = "warning", "reward"
        message = "a grader took over 10 s and was started again; its answer counts as wrong"
    if index % 151 == 150:
        level, role = "error", "learner"
        message = "gradient was not finite; the update is skipped\nnorm: inf, loss: <nan>"
    return {
        "time": ago(seconds=3 * (500 - index)).isoformat(),
        "level": level,
        "role": role,
        "attempt": 1 if step < 61 else 2,
        "step": step or None,
        "message": message,
    }


def events(name: str, phase: str) -> list[dict[str, Any]]:
    """What happened to a job."""
    shown = EVENTS if phase in ("Running", "Succeeded") else EVENTS[: 2 if phase == "Queued" else 6]
    made = []
    for index, (kind, actor, reason, message) in enumerate(shown):
        moment = ago(hours=3.4) + timedelta(minutes=19 * index)
        made.append(
            {
                "seq": index + 1,
                "time": moment.isoformat(),
                "actor": actor,
                "kind": kind,
                "reason": reason,
                "message": message,
                "payload": {"job": name},
            }
        )
    return made


def checkpoints(last: int) -> list[dict[str, Any]]:
    """A checkpoint every 20 steps."""
    made = []
    for step in range(20, last + 1, 20):
        values = metrics(step)["values"]
        keys = ("reward_mean", "accuracy_mean", "token_dependency_mean", "evaluation_accuracy")
        made.append(
            {
                "step": step,
                "uri": f"s3://vppo-checkpoints/runs/step-{step:06d}",
                "attempt": 1 if step <= 50 else 2,
                "sizeBytes": int(16.4 * GIB),
                "created": ago(minutes=4 + (last - step) / 4).isoformat(),
                "metrics": {key: values[key] for key in keys if key in values},
                "isPromoted": step == 60,
            }
        )
    return made


def artifacts(name: str) -> list[dict[str, Any]]:
    """Files of a run."""
    files = (
        ("report.html", 1_204_332, "text/html"),
        ("summary.json", 2_113, "application/json"),
        ("metrics.jsonl", 88_120, "application/jsonl"),
        ("log.jsonl", 412_004, "application/jsonl"),
        ("spotlight/step-000120.json", 601_220, "application/json"),
        ("model/model-00001-of-00004.safetensors", 4_968_243_304, "application/octet-stream"),
    )
    return [
        {
            "path": path,
            "sizeBytes": size,
            "modified": ago(minutes=4).isoformat(),
            "mediaType": media_type,
            "href": f"/v1/jobs/{name}/artifacts/{path}",
        }
        for path, size, media_type in files
    ]
