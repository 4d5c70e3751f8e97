"""What files and processes say becomes what is known of an attempt; nothing known is lost."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from vppo_core.runs.files import ExitFile, ProgressFile
from vppo_core.runs.observe import attempt_record, progress_of
from vppo_core.spec.status import AttemptStatus, FailureClass, Outcome
from vppo_services.local.launcher import AttemptView

NOON = datetime.fromisoformat("2026-11-24T12:00:00+00:00")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def known(**fields: Any) -> AttemptStatus:
    return AttemptStatus.model_validate({"index": 1, "created": NOON, **fields})


def progress(step: int, **fields: Any) -> ProgressFile:
    return ProgressFile.model_validate(
        {"attempt": 1, "step": step, "totalSteps": 10, "time": at(60), **fields}
    )


def report(outcome: str, **fields: Any) -> ExitFile:
    return ExitFile.model_validate(
        {"attempt": 1, "exitCode": 0, "outcome": outcome, "ended": at(90), **fields}
    )


def view(*, is_live: bool, **fields: Any) -> AttemptView:
    return AttemptView(is_launched=True, is_live=is_live, **fields)


def test_a_live_attempt_has_its_steps_and_no_end() -> None:
    seen = view(is_live=True, progress=progress(4, firstStep=2))
    record = attempt_record(known(), seen, now=at(61))
    assert (record.first_step, record.last_step, record.started) == (2, 4, at(60))
    assert (record.ended, record.outcome) == (None, None)


def test_an_attempt_without_a_step_has_not_started() -> None:
    seen = view(is_live=True, progress=progress(2, firstStep=2, stage="starting"))
    assert attempt_record(known(), seen, now=at(61)).started is None


def test_a_resumed_attempt_that_has_not_looked_at_its_checkpoints_took_no_step() -> None:
    expected = known(first_step=20, last_step=20, checkpoint_step=20)
    seen = view(is_live=True, progress=progress(0, stage="starting"))
    record = attempt_record(expected, seen, now=at(61))
    assert (record.first_step, record.last_step, record.started) == (20, 20, None)


def test_an_attempt_that_could_not_go_on_from_where_it_was_expected_says_so() -> None:
    expected = known(first_step=20, last_step=20, checkpoint_step=20)
    seen = view(is_live=True, progress=progress(10, firstStep=10))
    record = attempt_record(expected, seen, now=at(61))
    assert (record.first_step, record.last_step, record.checkpoint_step) == (10, 10, 10)
    assert record.started is None


def test_steps_never_go_back() -> None:
    before = known(last_step=8, checkpoint_step=5, started=at(5))
    record = attempt_record(before, view(is_live=True, progress=progress(4)), now=at(61))
    assert (record.last_step, record.checkpoint_step, record.started) == (8, 5, at(5))


@pytest.mark.parametrize(
    ("exit_file", "outcome", "failure"),
    [
        pytest.param(report("Succeeded"), Outcome.SUCCEEDED, None, id="success"),
        pytest.param(report("Stopped"), Outcome.STOPPED, None, id="stopped"),
        pytest.param(
            report("Failed", exitCode=2, failureClass="InvalidData"),
            Outcome.FAILED,
            FailureClass.USER_ERROR,
            id="data",
        ),
        pytest.param(
            report("Failed", exitCode=1, failureClass="Unknown", message="CUDA out of memory"),
            Outcome.FAILED,
            FailureClass.OUT_OF_MEMORY,
            id="memory",
        ),
        pytest.param(
            report("Confused", exitCode=1), Outcome.FAILED, FailureClass.APP_FAILED, id="new-word"
        ),
    ],
)
def test_a_report_says_how_it_ended(
    exit_file: ExitFile, outcome: Outcome, failure: FailureClass | None
) -> None:
    record = attempt_record(known(), view(is_live=False, exit=exit_file), now=at(100))
    assert (record.outcome, record.failure_class, record.ended) == (outcome, failure, at(90))


def test_a_driver_that_still_winds_up_has_not_ended() -> None:
    record = attempt_record(known(), view(is_live=True, exit=report("Succeeded")), now=at(100))
    assert record.outcome is Outcome.SUCCEEDED
    assert record.ended is None


def test_time_in_which_nobody_looked_is_not_running_time() -> None:
    seen = view(is_live=False, last_sign=at(120))
    assert attempt_record(known(), seen, now=at(36_000)).ended == at(120)


def test_an_end_never_lies_before_the_beginning_or_in_the_future() -> None:
    early = view(is_live=False, last_sign=at(-500))
    late = view(is_live=False, last_sign=at(500))
    assert attempt_record(known(), early, now=at(100)).ended == NOON
    assert attempt_record(known(), late, now=at(100)).ended == at(100)


def test_a_silent_end_leaves_the_outcome_open() -> None:
    seen = view(is_live=False, exit_code=-9, last_words="Killed")
    record = attempt_record(known(), seen, now=at(100))
    assert (record.outcome, record.failure_class, record.exit_code) == (None, None, None)
    assert record.message == "Its last words: Killed"


def test_an_exit_code_without_a_report_is_a_failure_with_its_last_words() -> None:
    seen = view(is_live=False, exit_code=1, last_words="api_key=hunter2 refused " + "x" * 2000)
    record = attempt_record(known(), seen, now=at(100))
    assert (record.outcome, record.failure_class) == (Outcome.FAILED, FailureClass.APP_FAILED)
    assert "hunter2" not in record.message
    assert len(record.message) <= 1024
    AttemptStatus.model_validate(record.model_dump())


def test_an_attempt_that_is_closed_or_was_never_launched_stays_as_it_is() -> None:
    closed = known(ended=at(10), outcome=Outcome.STOPPED)
    assert attempt_record(closed, view(is_live=False), now=at(100)) == closed
    unlaunched = AttemptView(is_launched=False, is_live=False)
    assert attempt_record(known(), unlaunched, now=at(100)) == known()


def test_progress_tells_the_time_that_is_left() -> None:
    shown = progress_of(progress(4, stepSeconds=2.0, stage="sample"))
    assert (shown.display, shown.eta_seconds, shown.stage) == ("4/10", 12.0, "sample")
    assert progress_of(progress(12, stepSeconds=2.0)).eta_seconds == 0.0
    assert progress_of(progress(4)).eta_seconds is None
    assert progress_of(progress(4), report("Stopped", lastStep=5)).display == "5/10"


def test_a_driver_that_has_not_looked_yet_stands_where_the_checkpoint_is() -> None:
    assert progress_of(progress(0, firstStep=None), resumes=6).display == "6/10"
    assert progress_of(progress(4, firstStep=4), resumes=6).display == "4/10"
