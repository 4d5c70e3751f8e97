"""Times for people: how long, how long ago, how far away."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from vppo_core.errors import InvalidSpecError

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400

_NOTHING: Final = (0, "")
# Below each limit: the large unit, and the small one that still matters.
_STEPS: Final = (
    (2 * MINUTE, (1, "s"), _NOTHING),
    (10 * MINUTE, (MINUTE, "m"), (1, "s")),
    (2 * HOUR, (MINUTE, "m"), _NOTHING),
    (10 * HOUR, (HOUR, "h"), (MINUTE, "m")),
    (2 * DAY, (HOUR, "h"), _NOTHING),
    (10 * DAY, (DAY, "d"), (HOUR, "h")),
    (float("inf"), (DAY, "d"), _NOTHING),
)
_UNITS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


def span(seconds: float) -> str:
    """Seconds in at most two units: `8s`, `3m20s`, `2h5m`, `4d3h`; the fineness that matters."""
    whole = max(int(seconds), 0)
    _, (size, name), (small_size, small_name) = next(step for step in _STEPS if whole < step[0])
    rest = whole % size // small_size if small_size else 0
    return f"{whole // size}{name}" + (f"{rest}{small_name}" if rest else "")


def fine_span(seconds: float) -> str:
    """Seconds of a stage: tenths below ten seconds."""
    return f"{seconds:.1f}s" if 0.0 <= seconds < 10.0 else span(seconds)


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago; `-` where it never was."""
    return "-" if moment is None else span((now - moment).total_seconds())


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str, now: datetime, *, option: str) -> datetime:
    """A time that a user wrote: `2026-11-01`, `2026-11-01T12:00:00Z`, or `7d` for that long ago.

    A time without a zone is UTC.

    Raises:
        InvalidSpecError: it is none of these.
    """
    ago = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip())
    try:
        if ago:
            return now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        read = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise InvalidSpecError(
            f"{option} must be a date, a time, or a span such as 7d, got '{text}'; "
            "write it as 2026-11-01 or 2026-11-01T12:00:00Z"
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
