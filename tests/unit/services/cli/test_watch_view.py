"""A watched job as a drawing, and as lines."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from vppo_core.spec.status import VPPOJobStatus
from vppo_services.cli.client.shapes import Event, MetricsLine
from vppo_services.cli.views.watch_state import WatchState, event_line, status_line
from vppo_services.cli.views.watch_view import watch_view

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RUNNING: dict[str, Any] = {
    "phase": "Running",
    "attempt": 2,
    "queue": {"name": "default", "pool": "local"},
    "usage": {"gpus": 8},
    "checkpoint": {"step": 10, "uri": "c", "created": "2026-11-01T11:58:00Z"},
    "progress": {
        "step": 12,
        "totalSteps": 200,
        "stage": "update",
        "etaSeconds": 400.0,
        "stageSeconds": {"sample": 8.0, "update": 4.0},
        "updated": "2026-11-01T11:59:00Z",
    },
}
METRICS = tuple(
    MetricsLine(
        step=step, time=NOW, values={"reward_mean": step / 10, "token_dependency_mean": None}
    )
    for step in range(1, 5)
)


def status(**fields: Any) -> VPPOJobStatus:
    return VPPOJobStatus.model_validate(fields)


def event(kind: str = "Normal", message: str = "Attempt 2 started.") -> Event:
    return Event(seq=1, time=NOW, kind=kind, reason="AttemptStarted", message=message)


def drawn(state: WatchState, console: Console, *, is_ascii: bool = False) -> str:
    console.print(watch_view(state, NOW, is_ascii=is_ascii))
    return console.export_text()


def condition(kind: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-01T11:00:00Z",
    }


def test_a_running_job_shows_progress_stages_curves_and_events(terminal: Console) -> None:
    state = WatchState("demo", status(**RUNNING)).with_metrics(METRICS).with_event(event())
    text = drawn(state, terminal)
    assert "demo  Running  attempt 2 · queue default · 8 GPUs · checkpoint 10, 2m ago" in text
    assert "12/200  eta 5m40s" in text  # 400 s, less the minute since the driver said so
    assert "sample" in text
    assert "8.0s  ━━━━━━━━━━━━━━━━━━━━━━━━" in text
    assert "4.0s  ━━━━━━━━━━━━ " in text
    assert "reward       0.4  ▁▃▆█" in text
    assert "dependency     -" in text
    assert "AttemptStarted  Attempt 2 started." in text


def test_a_waiting_job_shows_why(terminal: Console) -> None:
    waits = condition("Queued", "WaitingForQuota", "Waiting for the pool 'local'; position 2.")
    queue = {"name": "default", "position": 2}
    text = drawn(
        WatchState("demo", status(phase="Queued", queue=queue, conditions=[waits])), terminal
    )
    assert "demo  Queued  queue default #2" in text
    assert "Waiting for the pool 'local'; position 2." in text


@pytest.mark.parametrize(
    "phase", ["Pending", "Queued", "Paused", "Succeeded", "Failed", "Cancelled"]
)
def test_a_job_that_does_not_run_shows_no_time_left(terminal: Console, phase: str) -> None:
    assert "eta" not in drawn(WatchState("demo", status(**{**RUNNING, "phase": phase})), terminal)


def test_a_starting_job_shows_what_it_does(terminal: Console) -> None:
    text = drawn(
        WatchState("demo", status(phase="Starting", progress={"stage": "starting"})), terminal
    )
    assert "  starting" in text


def test_a_job_not_heard_of_yet_is_a_line(terminal: Console) -> None:
    assert drawn(WatchState("demo"), terminal).strip() == "demo: waiting for the server"


def test_a_plain_terminal_gets_plain_signs(terminal: Console) -> None:
    state = WatchState("demo", status(**RUNNING)).with_metrics(METRICS)
    text = drawn(state, terminal, is_ascii=True)
    assert "========================" in text
    assert "━━━━━━━━  " not in text.split("eta")[1]


def test_what_looks_like_markup_is_shown_as_it_stands(terminal: Console) -> None:
    state = WatchState("demo", status(**RUNNING)).with_event(event(message="[red]x[/red]"))
    assert "[red]x[/red]" in drawn(state, terminal)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    console = Console(force_terminal=True, width=width, record=True, file=StringIO(), _environ={})
    state = WatchState("demo", status(**RUNNING)).with_metrics(METRICS).with_event(event())
    text = drawn(state, console)
    assert "sample" in text
    assert max(map(len, text.splitlines())) <= width


def test_only_the_last_events_are_kept() -> None:
    state = WatchState("demo")
    for number in range(20):
        state = state.with_event(event(message=str(number)))
    assert [one.message for one in state.events] == ["14", "15", "16", "17", "18", "19"]


def test_a_step_measured_twice_counts_once_with_its_last_value() -> None:
    again = MetricsLine(step=2, time=NOW, values={"reward_mean": 9.0})
    state = WatchState("demo").with_metrics(METRICS).with_metrics((again,))
    assert state.values("reward_mean") == [0.1, 9.0, 0.3, 0.4]
    assert state.without_curves().values("reward_mean") == []


def test_lines_tell_changes_only() -> None:
    state = WatchState("demo", status(**RUNNING)).with_metrics(METRICS)
    assert status_line(state, None, NOW) == (
        "2026-11-01T12:00:00Z  Running    step 12/200  reward 0.4  eta 6m40s"
    )
    later = {**RUNNING, "progress": {**RUNNING["progress"], "etaSeconds": 300.0}}
    assert status_line(WatchState("demo", status(**later)), state.status, NOW) is None
    next_step = {**RUNNING, "progress": {**RUNNING["progress"], "step": 13}}
    line = status_line(WatchState("demo", status(**next_step)), state.status, NOW)
    assert line is not None
    assert "step 13/200" in line


def test_a_failed_job_is_a_line_with_its_reason() -> None:
    failed = condition("Failed", "AppFailed", "The learner died at step 3.")
    state = WatchState("demo", status(phase="Failed", conditions=[failed]))
    assert status_line(state, None, NOW) == (
        "2026-11-01T12:00:00Z  Failed     The learner died at step 3."
    )


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("Normal", "2026-11-01T12:00:01Z  event      AttemptStarted: Attempt 2 started."),
        ("Warning", "2026-11-01T12:00:01Z  warning    AttemptStarted: Attempt 2 started."),
    ],
)
def test_an_event_is_a_line(kind: str, line: str) -> None:
    one = event(kind).model_copy(update={"time": NOW + timedelta(seconds=1)})
    assert event_line(one) == line
