"""Pieces of sentences: times, spans, steps, lists of jobs."""

from collections.abc import Sequence
from datetime import UTC, datetime

from vppo_core.spec.status import AttemptStatus, Outcome, Progress


def clock(moment: datetime) -> str:
    """A moment to the second, such as `2026-11-25 12:03:10 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float) -> str:
    """A duration in one or two units, such as `40 s`, `35 min` or `2 h 5 min`."""
    whole = max(round(seconds), 0)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def steps(progress: Progress) -> str:
    """How far it is, such as `step 12/200`."""
    return f"step {progress.display or progress.step}"


def holders(names: Sequence[str]) -> tuple[str, str]:
    """Who holds a thing, and the word for them: `job a holds it`, `it`."""
    if len(names) == 1:
        return f"job {names[0]} holds it", "it"
    shown = list(names[:3]) + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return f"jobs {', '.join(shown[:-1])} and {shown[-1]} hold it", "them"


def ending(attempt: AttemptStatus) -> str:
    """How an attempt ended badly, such as `attempt 2 failed (Network)`."""
    verb = "was lost" if attempt.outcome is Outcome.LOST else "failed"
    why = f" ({attempt.failure_class.value})" if attempt.failure_class else ""
    return f"attempt {attempt.index} {verb}{why}"


def sentence(text: str) -> str:
    """The text with a capital first and a full stop last."""
    plain = text.strip()
    plain = plain[:1].upper() + plain[1:]
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."
