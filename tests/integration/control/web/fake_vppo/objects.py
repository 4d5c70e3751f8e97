"""Made-up jobs in the shape of `JobObject`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.objects import JobMeta, JobObject
from vppo_core.spec.status import VPPOJobStatus

TOTAL = 200
GIB = 2**30
PHASE_CYCLE = ("Succeeded", "Failed", "Succeeded", "Cancelled", "Succeeded")
STAGE_SECONDS = {
    "sample": 6.42,
    "reward": 0.21,
    "dependency": 1.93,
    "assemble": 0.02,
    "update": 3.31,
    "publish": 0.44,
}
TEMPLATE = "{{ content | trim }}\n\nThink first, inside <think> </think>.\nAnswer in \\boxed{}."


def ago(**span: float) -> datetime:
    """A moment in the past."""
    return datetime.now(UTC) - timedelta(**span)


def spec(queue: str = "gpu", **fields: Any) -> dict[str, Any]:
    """A resolved spec on the names of the wire."""
    asked = {
        "model": {"source": "Qwen/Qwen2.5-VL-7B-Instruct"},
        "data": {"source": "chamber111/VPPO_ViRL39K_train", "promptTemplate": TEMPLATE},
        "scheduling": {"queue": queue},
        "learner": {"numSteps": TOTAL, "learningRate": 0.000001},
        **fields,
    }
    return VPPOJobSpec.model_validate(asked).model_dump(mode="json", by_alias=True)


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    """A condition of a status."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(minutes=5).isoformat(),
    }


def job(name: str, status: dict[str, Any], *, created: datetime, **spec_fields: Any) -> JobObject:
    """A job object."""
    meta = JobMeta(
        name=name,
        namespace="default",
        labels={"team": "vision"},
        annotations={"vppo.io/owner": "lena"},
        uid=f"uid-{name}",
        creation_timestamp=created,
        resource_version="1",
    )
    return JobObject(
        metadata=meta,
        spec=VPPOJobSpec.model_validate(spec(**spec_fields)),
        status=VPPOJobStatus.model_validate({"queue": {"name": "gpu", "pool": "h100"}, **status}),
    )


def attempt(index: int, first: int, last: int, saved: int, **fields: Any) -> dict[str, Any]:
    """An attempt; `hours` ago it began, and it took `took` hours."""
    begun = ago(hours=fields.pop("hours"))
    took = fields.pop("took", None)
    return {
        "index": index,
        "created": begun.isoformat(),
        "started": (begun + timedelta(minutes=2)).isoformat(),
        "ended": None if took is None else (begun + timedelta(hours=took)).isoformat(),
        "firstStep": first,
        "lastStep": last,
        "checkpointStep": saved,
        "gpus": 8,
        **fields,
    }


def progress(step: int, stage: str, eta: float | None = None) -> dict[str, Any]:
    """Progress of an attempt."""
    return {
        "step": step,
        "totalSteps": TOTAL,
        "display": f"{step}/{TOTAL}",
        "stage": stage,
        "etaSeconds": eta,
        "stageSeconds": STAGE_SECONDS,
        "updated": ago(seconds=2).isoformat(),
    }


def usage(hours: float, lost: float = 0.0, gpus: int = 0) -> dict[str, Any]:
    """GPU-hours as a usage status."""
    return {
        "gpus": gpus,
        "gpuSecondsAllocated": hours * 3600,
        "gpuSecondsProductive": (hours - lost) * 3600,
        "gpuSecondsLost": lost * 3600,
    }


def checkpoint(step: int) -> dict[str, Any]:
    """The newest checkpoint."""
    uri = f"s3://vppo-checkpoints/runs/step-{step:06d}"
    return {"step": step, "uri": uri, "created": ago(minutes=4).isoformat()}


def five_jobs() -> list[JobObject]:
    """A running, a queued, a paused, a failed and a succeeded job, newest first."""
    waiting = "queue gpu needs 8 x H100, none is free; position 2"
    failed = "CUDA out of memory: tried to allocate 2.40 GiB in learner rank 3, 1.91 GiB free"
    return [
        job(
            "qwen7b-geometry-vppo",
            {
                "phase": "Running",
                "attempt": 2,
                "attempts": [
                    attempt(
                        1, 0, 61, 50, hours=3.4, took=0.8, outcome="Lost", failureClass="NodeLost",
                        message="the driver vanished without a word; its node is not ready",
                    ),
                    attempt(2, 50, 124, 120, hours=2.5),
                ],
                "progress": progress(124, "dependency", 936.0),
                "checkpoint": checkpoint(120),
                "usage": usage(26.4, 1.2, gpus=8),
                "conditions": [condition("Running", "True", "Training")],
            },
            created=ago(hours=3.5),
        ),
        job(
            "qwen32b-charts-vppo",
            {
                "phase": "Queued",
                "queue": {"name": "gpu", "pool": "h100", "position": 2, "reason": "PoolBusy"},
                "conditions": [condition("Queued", "True", "WaitingForQuota", waiting)],
            },
            created=ago(hours=5),
        ),
        job(
            "dapo-baseline-seed-3",
            {
                "phase": "Paused",
                "attempt": 1,
                "attempts": [attempt(1, 0, 90, 90, hours=9, took=2.6, outcome="Stopped")],
                "progress": progress(90, ""),
                "checkpoint": checkpoint(90),
                "usage": usage(20.8),
                "conditions": [condition("Paused", "True", "CheckpointSaved")],
            },
            created=ago(hours=10),
            desiredState="Paused",
        ),
        job(
            "grpo-large-batch",
            {
                "phase": "Failed",
                "attempt": 2,
                "attempts": [
                    attempt(
                        1, 0, 37, 30, hours=30, took=1.1, outcome="Failed", exitCode=1,
                        failureClass="OutOfMemory", charged=True, message=failed,
                    ),
                    attempt(
                        2, 30, 48, 40, hours=28, took=0.6, outcome="Failed", exitCode=1,
                        failureClass="OutOfMemory", charged=True, message=failed,
                    ),
                ],
                "progress": progress(48, ""),
                "checkpoint": checkpoint(40),
                "usage": usage(13.6, 3.1),
                "conditions": [condition("Failed", "True", "OutOfMemory", failed)],
            },
            created=ago(hours=31),
        ),
        job(
            "demo-vppo",
            {
                "phase": "Succeeded",
                "attempt": 1,
                "attempts": [
                    attempt(1, 0, TOTAL, TOTAL, hours=50, took=0.4, outcome="Succeeded", gpus=0,
                            exitCode=0),
                ],
                "progress": progress(TOTAL, ""),
                "checkpoint": checkpoint(TOTAL),
                "usage": usage(0.4),
                "queue": {"name": "default", "pool": "local"},
                "conditions": [condition("Succeeded", "True", "Completed")],
            },
            created=ago(hours=50),
            queue="default",
        ),
    ]  # fmt: skip


def many_jobs(count: int) -> list[dict[str, Any]]:
    """Finished jobs, older than the five, without the cost of a model for each."""
    template = five_jobs()[-1].model_dump(mode="json", by_alias=True)
    made = []
    for index in range(count):
        phase = PHASE_CYCLE[index % len(PHASE_CYCLE)]
        step = TOTAL if phase == "Succeeded" else index % TOTAL
        name = f"sweep-{index:05d}"
        meta = {
            **template["metadata"],
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": ago(days=3, minutes=10 * index).isoformat(),
        }
        status = {**template["status"], "phase": phase, "progress": progress(step, "")}
        made.append({**template, "metadata": meta, "status": status})
    return made
