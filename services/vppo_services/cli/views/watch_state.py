"""What is known of a watched job, and the lines that say what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from vppo_core.spec.status import JobPhase, VPPOJobStatus
from vppo_services.cli.views.phases import reason_of
from vppo_services.cli.views.times import span, stamp

if TYPE_CHECKING:
    from vppo_services.cli.client.shapes import Event, MetricsLine

CURVES: Final = {"reward_mean": "reward", "token_dependency_mean": "dependency"}
"""Catalogue references that are shown, and what they are called there."""

EVENTS_KEPT: Final = 6


@dataclass(frozen=True)
class WatchState:
    """A job as far as it was heard of."""

    name: str
    status: VPPOJobStatus | None = None
    events: tuple["Event", ...] = ()
    """The last ones, oldest first."""

    trouble: str = ""
    """Why nothing is heard at the moment."""

    curves: Mapping[str, Mapping[int, float | None]] = field(default_factory=dict)
    """Of each reference in `CURVES`, values by step."""

    def with_event(self, event: "Event") -> "WatchState":
        """With one more event."""
        return replace(self, events=(*self.events, event)[-EVENTS_KEPT:])

    def with_metrics(self, lines: "tuple[MetricsLine, ...]") -> "WatchState":
        """With more numbers; a later line of a step wins."""
        curves = {name: dict(self.curves.get(name, {})) for name in CURVES}
        for line in lines:
            for name in CURVES.keys() & line.values.keys():
                curves[name][line.step] = line.values[name]
        return replace(self, curves=curves)

    def without_curves(self) -> "WatchState":
        """With the numbers forgotten: they are sent anew."""
        return replace(self, curves={})

    def values(self, name: str) -> list[float | None]:
        """Values of a reference in the order of the steps."""
        curve = self.curves.get(name, {})
        return [curve[step] for step in sorted(curve)]

    def last(self, name: str) -> float | None:
        """The newest value of a reference."""
        values = self.values(name)
        return values[-1] if values else None


def status_line(state: WatchState, before: VPPOJobStatus | None, now: datetime) -> str | None:
    """One line for a status that says something new; None for one that does not."""
    status = state.status
    if status is None or (before is not None and _said(status) == _said(before)):
        return None
    parts = [f"{stamp(now)}  {status.phase.value:<9}"]
    reason, message = reason_of(status)
    progress = status.progress
    if status.phase in (JobPhase.RUNNING, JobPhase.STOPPING) and progress.total_steps:
        parts.append(f"step {progress.step}/{progress.total_steps}")
        parts += [text for text in (_value(state, name) for name in CURVES) if text]
        if progress.eta_seconds is not None:
            parts.append(f"eta {span(progress.eta_seconds)}")
    elif message or reason:
        parts.append(message or reason)
    return "  ".join(parts).rstrip()


def event_line(event: "Event") -> str:
    """One line for an event."""
    mark = "warning" if event.kind == "Warning" else "event"
    return f"{stamp(event.time)}  {mark:<9}  {event.reason}: {event.message}".rstrip(": ")


def _said(status: VPPOJobStatus) -> tuple[object, ...]:
    is_under_way = status.phase in (JobPhase.RUNNING, JobPhase.STOPPING)
    said = (status.progress.step,) if is_under_way else reason_of(status)
    return (status.phase, status.attempt, *said)


def _value(state: WatchState, name: str) -> str:
    value = state.last(name)
    return "" if value is None else f"{CURVES[name]} {value:.3g}"
