"""Phases: their colour, what is said of them, and the exit code they stand for."""

from typing import Final

from rich.text import Text

from vppo_core.spec.status import ConditionType, JobPhase, VPPOJobStatus

SUCCEEDED: Final = 0
FAILED: Final = 1
CANCELLED: Final = 3

_STYLES: Final = {
    JobPhase.RUNNING: "bold cyan",
    JobPhase.SUCCEEDED: "bold green",
    JobPhase.FAILED: "bold red",
    JobPhase.RETRYING: "yellow",
    JobPhase.STOPPING: "yellow",
    JobPhase.PAUSED: "yellow",
    JobPhase.CANCELLED: "dim",
}
_SPOKESMEN: Final = {
    JobPhase.PENDING: (ConditionType.ACCEPTED,),
    JobPhase.QUEUED: (ConditionType.QUEUED,),
    JobPhase.STARTING: (ConditionType.RUNNING, ConditionType.CLUSTER_READY),
    JobPhase.PAUSED: (ConditionType.PAUSED,),
    JobPhase.FAILED: (ConditionType.FAILED,),
    JobPhase.SUCCEEDED: (ConditionType.SUCCEEDED,),
    JobPhase.CANCELLED: (ConditionType.FINISHED,),
}


def phase_text(phase: JobPhase) -> Text:
    """The phase in its colour."""
    return Text(phase.value, style=_STYLES.get(phase, ""))


def reason_of(status: VPPOJobStatus) -> tuple[str, str]:
    """Reason and message of the condition that explains the phase; empty where none does."""
    found = {condition.type: condition for condition in status.conditions}
    for kind in _SPOKESMEN.get(status.phase, (ConditionType.RUNNING,)):
        if kind in found:
            return found[kind].reason, found[kind].message
    return "", ""


def exit_code(phase: JobPhase) -> int:
    """0 for a job that ended well or goes on, 1 failed, 3 cancelled."""
    return {JobPhase.FAILED: FAILED, JobPhase.CANCELLED: CANCELLED}.get(phase, SUCCEEDED)
