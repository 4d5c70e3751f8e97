"""What the launcher knows of an end, beside what the driver reported of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from vppo_core.runs.files import ExitFile, StopFile
from vppo_core.runs.observe import attempt_record
from vppo_core.runs.view import AttemptView, Verdict
from vppo_core.spec.status import AttemptStatus, FailureClass, Outcome

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KNOWN = AttemptStatus(index=1, created=NOON)
PREEMPTED = Verdict(
    outcome=Outcome.LOST, failure_class=FailureClass.PREEMPTED, message="Its node was taken."
)


def report(outcome: str, failure: str = "", message: str = "") -> ExitFile:
    return ExitFile(
        attempt=1,
        exit_code=10 if outcome == "Failed" else 0,
        outcome=outcome,
        failure_class=failure,
        message=message,
        last_step=7,
        ended=NOON + timedelta(minutes=5),
    )


def recorded(**fields: Any) -> tuple[Outcome | None, FailureClass | None, str]:
    view = AttemptView(is_launched=True, is_live=False, **fields)
    found = attempt_record(KNOWN, view, now=NOON + timedelta(hours=1))
    return found.outcome, found.failure_class, found.message


def test_a_silent_driver_is_judged_by_what_was_around_it() -> None:
    assert recorded(verdict=PREEMPTED) == (
        Outcome.LOST,
        FailureClass.PREEMPTED,
        "Its node was taken.",
    )


def test_the_drivers_own_report_wins() -> None:
    done = recorded(exit=report("Succeeded"), verdict=PREEMPTED)
    assert done == (Outcome.SUCCEEDED, None, "")
    failed = recorded(exit=report("Failed", "InvalidData", "bad rows"), verdict=PREEMPTED)
    assert failed == (Outcome.FAILED, FailureClass.USER_ERROR, "bad rows")


def test_why_a_role_died_is_known_better_by_who_saw_its_pod() -> None:
    outcome, failure, message = recorded(
        exit=report("Failed", "RoleDied", "role learner died."), verdict=PREEMPTED
    )
    assert (outcome, failure) == (Outcome.FAILED, FailureClass.PREEMPTED)
    assert message == "role learner died. Its node was taken."


def test_a_driver_that_saved_because_it_was_told_to_by_others_did_not_stop_for_us() -> None:
    stopped = report("Stopped", message="saved")
    assert recorded(exit=stopped, verdict=PREEMPTED)[:2] == (Outcome.LOST, FailureClass.PREEMPTED)
    asked = StopFile(reason="Paused", requested=NOON, deadline=NOON)
    assert recorded(exit=stopped, verdict=PREEMPTED, stop=asked)[:2] == (Outcome.STOPPED, None)


def test_secrets_in_a_verdict_are_hidden() -> None:
    verdict = Verdict(outcome=Outcome.LOST, message="pulled with token=abc123")
    assert "abc123" not in recorded(verdict=verdict)[2]
