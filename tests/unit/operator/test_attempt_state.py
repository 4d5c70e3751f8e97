"""What KubeRay, Kueue, pods and files say of an attempt; the traps of a RayJob, one by one."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from vppo_core.runs.files import ExitFile, ProgressFile, StopFile
from vppo_core.runs.view import Verdict
from vppo_core.spec.status import FailureClass as F
from vppo_core.spec.status import Outcome as O
from vppo_operator.attempt_state import (
    ABANDONED,
    attempt_view,
    hears_nothing,
    is_launched,
    is_live,
    stop_of,
    verdict_of,
)
from vppo_operator.ends import OVER, end_of
from vppo_operator.parts import STOP_ANNOTATION, AttemptFiles, Parts

NOON = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
STOP = StopFile(reason="Paused", requested=NOON, deadline=NOON + timedelta(minutes=5))
PROGRESS = ProgressFile(attempt=1, incarnation="a", step=4, total_steps=9, time=NOON)
CLUSTER = {"metadata": {"name": "demo-a1-x"}}

JOB_STATES = ("", "PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED", "Brewing")
DEPLOYMENT_STATES = (
    "",
    "Initializing",
    "Waiting",
    "Running",
    "Complete",
    "Failed",
    "ValidationFailed",
    "Suspending",
    "Suspended",
    "Retrying",
    "Meditating",
)
REASONS = (
    "",
    "SubmissionFailed",
    "DeadlineExceeded",
    "PreRunningDeadlineExceeded",
    "AppFailed",
    "JobDeploymentStatusTransitionGracePeriodExceeded",
    "JobStatusCheckTimeoutExceeded",
    "ValidationFailed",
    "Ennui",
)


def ray_job(deployment: str = "", job: str = "", reason: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": "demo-a1", "namespace": "team", "uid": "r1", **more.pop("metadata", {})}
    status = {"jobDeploymentStatus": deployment, "jobStatus": job, "reason": reason, **more}
    return {"metadata": metadata, "spec": {}, "status": status}


def pod(role: str = "learner", phase: str = "Running", **status: Any) -> dict[str, Any]:
    deleted = status.pop("deleted", None)
    metadata: dict[str, Any] = {"name": f"p-{role}", "labels": {"vppo.io/role": role}}
    if deleted is not None:
        metadata["deletionTimestamp"] = deleted.isoformat()
    return {"metadata": metadata, "status": {"phase": phase, **status}}


def oom_killed(role: str = "learner") -> dict[str, Any]:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    return pod(role, containerStatuses=[{"name": "ray", "state": {}, "lastState": ended}])


def disrupted(reason: str) -> dict[str, Any]:
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason}
    return pod(conditions=[target])


def report(outcome: str = "Succeeded", **fields: Any) -> ExitFile:
    return ExitFile(attempt=1, exit_code=0, outcome=outcome, ended=NOON, **fields)


def ended(job: dict[str, Any], *, was_asked: bool = False) -> tuple[O, F | None] | None:
    found = end_of(job, was_asked=was_asked)
    return (found.outcome, found.failure_class) if found else None


@pytest.mark.parametrize("deployment", DEPLOYMENT_STATES)
def test_every_triple_has_an_end_only_where_the_rayjob_is_over(deployment: str) -> None:
    for job, reason in itertools.product(JOB_STATES, REASONS):
        found, triple = ended(ray_job(deployment, job, reason)), (deployment, job, reason)
        if deployment not in OVER:
            assert found is None, triple  # what nobody knows means: wait
        elif "ValidationFailed" in triple:
            assert found == (O.FAILED, F.RENDERING), triple
        else:
            assert found is not None, triple
            assert (found[0] is O.SUCCEEDED) == (job == "SUCCEEDED"), triple


@pytest.mark.parametrize(
    ("triple", "was_asked", "expected"),
    [
        pytest.param(("Complete", "SUCCEEDED", ""), False, (O.SUCCEEDED, None), id="done"),
        pytest.param(("Complete", "SUCCEEDED", ""), True, (O.STOPPED, None), id="saved-and-left"),
        pytest.param(("Complete", "STOPPED", ""), True, (O.STOPPED, None), id="1-stopped-by-us"),
        pytest.param(("Complete", "STOPPED", ""), False, (O.FAILED, F.APP_FAILED), id="1-complete"),
        pytest.param(("ValidationFailed", "", ""), False, (O.FAILED, F.RENDERING), id="2-invalid"),
        pytest.param(
            ("Failed", "RUNNING", "DeadlineExceeded"), False, (O.FAILED, F.DEADLINE), id="4-late"
        ),
        pytest.param(
            ("Failed", "RUNNING", "JobStatusCheckTimeoutExceeded"),
            False,
            (O.FAILED, F.NETWORK),
            id="9-dashboard-away",
        ),
        pytest.param(
            ("Failed", "SUCCEEDED", "JobDeploymentStatusTransitionGracePeriodExceeded"),
            False,
            (O.SUCCEEDED, None),
            id="9-success-all-the-same",
        ),
        pytest.param(
            ("Failed", "", "PreRunningDeadlineExceeded"),
            False,
            (O.FAILED, F.START_TIMEOUT),
            id="never-ran",
        ),
        pytest.param(
            ("Failed", "FAILED", "AppFailed"), False, (O.FAILED, F.APP_FAILED), id="failed"
        ),
        pytest.param(("Complete", "RUNNING", ""), False, (O.LOST, None), id="contradiction"),
    ],
)
def test_trap(triple: tuple[str, str, str], was_asked: bool, expected: tuple[O, F | None]) -> None:
    assert ended(ray_job(*triple), was_asked=was_asked) == expected


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        ("Job entrypoint command failed with exit code 2, last logs: ...", F.USER_ERROR),
        ("Job entrypoint command failed with exit code 11, last logs: ...", F.NETWORK),
        ("exit code 1, torch.OutOfMemoryError: CUDA out of memory", F.OUT_OF_MEMORY),
        ("exit code 1, ValueError: no", F.APP_FAILED),
    ],
)
def test_a_silent_failure_is_classed_by_what_ray_says(message: str, failure: F) -> None:
    found = end_of(ray_job("Failed", "FAILED", "AppFailed", message=message), was_asked=False)
    assert found is not None
    assert found.failure_class is failure
    assert message.rstrip(".") in found.message


def test_what_it_waited_for_stands_in_the_message_of_a_start_that_came_too_late() -> None:
    job = ray_job("Failed", "", "PreRunningDeadlineExceeded")
    found = verdict_of(Parts(ray_job=job), waited_for="The image 'x' cannot be pulled.")
    assert found is not None
    assert "The image 'x' cannot be pulled." in found.message


@pytest.mark.parametrize(
    ("pods", "outcome", "failure"),
    [
        pytest.param([oom_killed()], O.FAILED, F.OUT_OF_MEMORY, id="oom"),
        pytest.param([disrupted("EvictionByEvictionAPI")], O.LOST, F.PREEMPTED, id="drained"),
        pytest.param([disrupted("PreemptionByScheduler")], O.LOST, F.PREEMPTED, id="preempted"),
        pytest.param([disrupted("DeletionByTaintManager")], O.LOST, F.NODE_LOST, id="node-gone"),
        pytest.param([pod(phase="Failed", reason="Shutdown")], O.LOST, F.PREEMPTED, id="spot"),
        pytest.param(
            [pod(phase="Failed", reason="Evicted", message="low on resource: memory")],
            O.FAILED,
            F.OUT_OF_MEMORY,
            id="node-out-of-memory",
        ),
        pytest.param(
            [disrupted("PreemptionByScheduler"), oom_killed()], O.FAILED, F.OUT_OF_MEMORY, id="both"
        ),
    ],
)
def test_pods_tell_why(pods: list[dict[str, Any]], outcome: O, failure: F) -> None:
    parts = Parts(ray_job=ray_job("Failed", "FAILED", "AppFailed"), pods=pods)
    found = verdict_of(parts)
    assert found is not None
    assert (found.outcome, found.failure_class) == (outcome, failure)


def test_a_success_stays_one_whatever_pods_went_through() -> None:
    done = ray_job("Complete", "SUCCEEDED")
    found = verdict_of(Parts(ray_job=done, pods=[oom_killed("reward")]))
    assert found == Verdict(outcome=O.SUCCEEDED)


def test_a_driver_that_its_node_told_to_end_has_not_finished() -> None:
    done = ray_job("Complete", "SUCCEEDED")
    found = verdict_of(Parts(ray_job=done, pods=[disrupted("EvictionByEvictionAPI")]))
    assert found is not None
    assert found.failure_class is F.PREEMPTED


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [(state, state not in OVER) for state in DEPLOYMENT_STATES],
)
def test_a_rayjob_without_pods_is_live_until_it_is_over(deployment: str, expected: bool) -> None:
    assert is_live(Parts(ray_job=ray_job(deployment)), now=NOON) is expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(Parts(), False, id="nothing"),
        pytest.param(
            Parts(
                ray_job=ray_job(
                    "Complete", "SUCCEEDED", metadata={"deletionTimestamp": NOON.isoformat()}
                )
            ),
            True,
            id="8-being-deleted",
        ),
        pytest.param(
            Parts(ray_job=ray_job("Complete"), ray_clusters=[CLUSTER]), True, id="16-cluster-stays"
        ),
        pytest.param(Parts(pods=[pod()]), True, id="pods-alone"),
        pytest.param(Parts(pods=[pod(phase="Failed")]), False, id="dead-pods"),
        pytest.param(Parts(pods=[pod(deleted=NOON)]), True, id="pods-on-their-way-out"),
        pytest.param(Parts(pods=[pod(deleted=NOON - ABANDONED)]), False, id="pods-on-a-lost-node"),
    ],
)
def test_liveness(parts: Parts, expected: bool) -> None:
    assert is_live(parts, now=NOON) is expected
    assert is_launched(parts) is (parts != Parts())


def test_a_suspended_rayjob_waits_and_ends_only_if_its_driver_had_begun() -> None:
    waiting = Parts(ray_job=ray_job("Suspended"))
    assert (verdict_of(waiting), hears_nothing(waiting)) == (None, True)
    taken = Parts(ray_job=ray_job("Suspended"), files=AttemptFiles(progress=PROGRESS))
    found = verdict_of(taken)
    assert found is not None
    assert found.failure_class is F.PREEMPTED
    assert is_live(taken, now=NOON)  # Kueue may wake it up again, as long as it is there


def test_kueues_reason_is_told() -> None:
    workload = {
        "status": {
            "conditions": [
                {"type": "Evicted", "status": "True", "reason": "Preempted", "message": "evicted"},
                {"type": "Preempted", "status": "True", "message": "for job b"},
            ]
        }
    }
    files = AttemptFiles(progress=PROGRESS)
    parts = Parts(ray_job=ray_job("Suspending"), workload=workload, files=files)
    found = verdict_of(parts)
    assert found is not None
    assert found.failure_class is F.PREEMPTED
    assert "for job b" in found.message


def test_what_was_found_out_earlier_is_kept() -> None:
    known = Verdict(outcome=O.FAILED, failure_class=F.OUT_OF_MEMORY, message="oom")
    assert verdict_of(Parts(evidence=known)) == known
    assert verdict_of(Parts(ray_job=ray_job("Failed", "FAILED"), evidence=known)) == known


def test_the_drivers_report_is_in_the_view_and_the_verdict_only_at_the_end() -> None:
    failed = ray_job("Failed", "FAILED", "AppFailed")
    files = AttemptFiles(exit=report(), progress=PROGRESS)
    seen = attempt_view(Parts(ray_job=failed, ray_clusters=[CLUSTER], files=files), now=NOON)
    assert (seen.is_live, seen.verdict) == (True, None)
    assert seen.exit == report()
    gone = attempt_view(Parts(ray_job=failed, files=files), now=NOON)
    assert not gone.is_live
    assert gone.verdict is not None


def test_a_report_of_a_run_that_kueue_ended_is_none_of_the_next_run() -> None:
    begun = (NOON + timedelta(hours=1)).isoformat()
    running = ray_job("Running", "RUNNING", startTime=begun)
    files = AttemptFiles(exit=report("Stopped"))
    assert attempt_view(Parts(ray_job=running, files=files), now=NOON).exit is None


def test_the_request_to_stop_survives_the_loss_of_the_folder() -> None:
    note = STOP.model_dump_json(by_alias=True)
    job = ray_job("Running", metadata={"annotations": {STOP_ANNOTATION: note}})
    assert stop_of(Parts(ray_job=job)) == STOP
    assert stop_of(Parts(ray_job=ray_job("Running"))) is None
    broken = ray_job("Running", metadata={"annotations": {STOP_ANNOTATION: "{"}})
    assert stop_of(Parts(ray_job=broken)) is None
