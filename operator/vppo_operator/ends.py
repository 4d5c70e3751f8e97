"""How an attempt ended by what KubeRay says of it. Pure.

`Complete` is not success, `Failed` may be one, and a Ray job may run on in a RayJob that is over:
the table of `kubernetes.md` 3.4. What is not known means: wait.
"""

import re
from typing import Final

from vppo_core.kube.api import KubeObject
from vppo_core.lifecycle.failures import classify
from vppo_core.lifecycle.wording import sentence
from vppo_core.runs.view import Verdict
from vppo_core.spec.status import FailureClass, Outcome
from vppo_operator.parts import status

OVER: Final = frozenset({"Complete", "Failed", "ValidationFailed"})
"""Values of `jobDeploymentStatus` that a RayJob with `backoffLimit: 0` never leaves."""

SUSPENDED: Final = frozenset({"Suspending", "Suspended"})
BEFORE_THE_DRIVER: Final = frozenset({"", "Initializing", "Waiting", *SUSPENDED})
"""Values in which no driver was started yet, or none is there any more."""

_NETWORK: Final = frozenset(
    {
        "SubmissionFailed",
        "JobDeploymentStatusTransitionGracePeriodExceeded",
        "JobStatusCheckTimeoutExceeded",
    }
)
_EXIT_CODE: Final = re.compile(r"exit code (\d{1,3})\b")
_MESSAGE_CHARACTERS: Final = 700


def deployment_of(ray_job: KubeObject | None) -> str:
    """The RayJob's `jobDeploymentStatus`; empty before KubeRay has looked at it."""
    return str(status(ray_job).get("jobDeploymentStatus") or "")


def end_of(
    ray_job: KubeObject, *, was_asked: bool, evidence: Verdict | None = None, waited_for: str = ""
) -> Verdict | None:
    """How the attempt ended; None while nothing says that it did.

    Args:
        was_asked: whether it was asked to stop.
        evidence: what pods or Kueue told about a bad end.
        waited_for: a sentence about what it waited for last.
    """
    said = status(ray_job)
    job, deployment = str(said.get("jobStatus") or ""), deployment_of(ray_job)
    reason = str(said.get("reason") or "")
    if deployment not in OVER:
        return None
    if "ValidationFailed" in (deployment, reason):
        return _failed(FailureClass.RENDERING, "KubeRay refused the RayJob", _message(ray_job))
    if job == "SUCCEEDED":
        return _well(was_asked, evidence)
    if job == "STOPPED" and was_asked:
        return Verdict(outcome=Outcome.STOPPED, message="It stopped as it was asked to.")
    return (
        _too_late(reason, waited_for)
        or evidence
        or _badly(job, deployment, reason, _message(ray_job))
    )


def _too_late(reason: str, waited_for: str) -> Verdict | None:
    if reason == "DeadlineExceeded":
        text = "The RayJob's own deadline, the backstop behind the job's, was over"
        return _failed(FailureClass.DEADLINE, text)
    if reason == "PreRunningDeadlineExceeded":
        text = "Its driver did not start within the platform's preRunningDeadlineSeconds"
        return _failed(FailureClass.START_TIMEOUT, text, waited_for)
    return None


def _well(was_asked: bool, evidence: Verdict | None) -> Verdict:
    """A driver ends with 0 when it is done, and when it saved and stopped."""
    if was_asked:
        return Verdict(outcome=Outcome.STOPPED, message="It stopped as it was asked to.")
    if evidence is not None and evidence.failure_class is FailureClass.PREEMPTED:
        return evidence  # told to end by its node, it saved and stopped
    return Verdict(outcome=Outcome.SUCCEEDED)


def _badly(job: str, deployment: str, reason: str, message: str) -> Verdict:
    if reason in _NETWORK:
        return _failed(
            FailureClass.NETWORK, f"KubeRay lost sight of the driver ({reason})", message
        )
    if job == "STOPPED":
        return _failed(FailureClass.APP_FAILED, "Somebody stopped the Ray job", message)
    if job == "FAILED" or deployment == "Failed":
        code = _EXIT_CODE.search(message)
        failure = classify(
            exit_code=int(code[1]) if code else 1,
            failure_class="",
            message=message,
            was_launched=True,
        )
        why = f" ({reason})" if reason and reason != "AppFailed" else ""
        return _failed(failure, f"The driver ended without a report{why}", message)
    text = f"KubeRay calls the RayJob {deployment} while its Ray job is '{job}'"
    return Verdict(outcome=Outcome.LOST, message=sentence(text))


def _failed(failure: FailureClass, text: str, message: str = "") -> Verdict:
    more = f": {message.strip()}" if message.strip() else ""
    return Verdict(outcome=Outcome.FAILED, failure_class=failure, message=sentence(f"{text}{more}"))


def _message(ray_job: KubeObject) -> str:
    """What KubeRay says, on one line; of a long text the end, where the cause stands."""
    text = " ".join(str(status(ray_job).get("message") or "").split())
    return text if len(text) <= _MESSAGE_CHARACTERS else f"... {text[-_MESSAGE_CHARACTERS:]}"
