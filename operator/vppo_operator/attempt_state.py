"""RayJob, RayCluster, Workload, pods and files of an attempt -> what is seen of it. Pure."""

from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from vppo_core.kube.api import KubeObject
from vppo_core.runs.files import ExitFile, StopFile
from vppo_core.runs.view import AttemptView, Verdict
from vppo_core.spec.status import FailureClass, Outcome
from vppo_operator.ends import BEFORE_THE_DRIVER, OVER, SUSPENDED, deployment_of, end_of
from vppo_operator.evidence import evidence_of
from vppo_operator.parts import STOP_ANNOTATION, Parts, deleted_at, meta, moment, status

ABANDONED: Final = timedelta(minutes=5)
"""A pod that should be gone for so long is on a node that nobody hears of any more."""

_CLOCKS_DIFFER: Final = timedelta(seconds=60)


def attempt_view(parts: Parts, *, now: datetime, waited_for: str = "") -> AttemptView:
    """What is seen of the attempt.

    Args:
        waited_for: a sentence about what it waited for when its status was written last.
    """
    files, live = parts.files, is_live(parts, now=now)
    return AttemptView(
        is_launched=is_launched(parts),
        is_live=live,
        stop=stop_of(parts),
        progress=files.progress,
        exit=_report(parts),
        last_words=files.last_words,
        last_sign=None if live else _last_sign(parts),
        verdict=None if live else verdict_of(parts, waited_for=waited_for),
    )


def is_launched(parts: Parts) -> bool:
    """Whether there is evidence that the attempt was ever started."""
    there = parts.ray_job is not None or bool(parts.ray_clusters) or bool(parts.pods)
    files = parts.files
    return there or files.was_launched or files.progress is not None or files.exit is not None


def is_live(parts: Parts, *, now: datetime) -> bool:
    """Whether anything of it may still work, or holds what the next attempt needs.

    A RayJob that is being deleted is there until it is gone; one that is over counts by its pods.
    One that was put to sleep may be woken up again, and counts.
    """
    ray_job = parts.ray_job
    if ray_job is not None and (deleted_at(ray_job) or deployment_of(ray_job) not in OVER):
        return True
    return bool(parts.ray_clusters) or any(_holds_a_node(pod, now) for pod in parts.pods)


def is_over(parts: Parts) -> bool:
    """Whether the RayJob starts no driver any more."""
    return deployment_of(parts.ray_job) in OVER


def is_put_to_sleep(parts: Parts) -> bool:
    """Whether its quota was taken after its driver had begun: the attempt ends with that."""
    return deployment_of(parts.ray_job) in SUSPENDED and had_driver(parts)


def had_driver(parts: Parts) -> bool:
    """Whether its driver ever said a word."""
    return parts.files.progress is not None or parts.files.exit is not None


def hears_nothing(parts: Parts) -> bool:
    """Whether there is no driver yet that could be asked to stop."""
    return not had_driver(parts) and deployment_of(parts.ray_job) in BEFORE_THE_DRIVER


def verdict_of(parts: Parts, *, waited_for: str = "") -> Verdict | None:
    """How it ends, or ended, as far as this can be told without its driver."""
    seen = evidence_of(parts.pods, parts.workload if had_driver(parts) else None)
    evidence = seen or parts.evidence
    if parts.ray_job is None:
        return parts.evidence or seen
    if is_put_to_sleep(parts):
        return evidence or Verdict(
            outcome=Outcome.LOST,
            failure_class=FailureClass.PREEMPTED,
            message="Its RayJob was suspended while it ran.",
        )
    was_asked = stop_of(parts) is not None
    ended = end_of(parts.ray_job, was_asked=was_asked, evidence=evidence, waited_for=waited_for)
    return ended or evidence


def stop_of(parts: Parts) -> StopFile | None:
    """The request to stop it: of the mirror, or of the RayJob where the mirror was lost."""
    if parts.files.stop is not None or parts.ray_job is None:
        return parts.files.stop
    text = (meta(parts.ray_job).get("annotations") or {}).get(STOP_ANNOTATION)
    try:
        return StopFile.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _report(parts: Parts) -> ExitFile | None:
    """The driver's report, unless Kueue let the RayJob begin anew after it."""
    report, begun = parts.files.exit, moment(status(parts.ray_job).get("startTime"))
    if report is None or begun is None or is_over(parts):
        return report
    return report if report.ended >= begun - _CLOCKS_DIFFER else None


def _holds_a_node(pod: KubeObject, now: datetime) -> bool:
    if status(pod).get("phase") in ("Succeeded", "Failed"):
        return False
    due = deleted_at(pod)
    return due is None or now < due + ABANDONED


def _last_sign(parts: Parts) -> datetime | None:
    signs = (parts.files.last_sign, moment(status(parts.ray_job).get("endTime")))
    return max((sign for sign in signs if sign is not None), default=None)
