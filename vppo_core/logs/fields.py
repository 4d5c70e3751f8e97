"""What the lines of this thread or task are about."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

NAMES: Final = ("namespace", "job", "attempt", "role", "step", "request")
"""Fields that a line may have, in this order."""

_step: ContextVar[int | None] = ContextVar("vppo_step", default=None)
_fields: ContextVar[dict[str, object] | None] = ContextVar("vppo_log_fields", default=None)
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def set_step(step: int) -> None:
    """Name the step that lines of this thread or task belong to from here on."""
    _step.set(step)


@contextmanager
def step_context(step: int | None) -> Iterator[None]:
    """Name the step that lines inside the block belong to; None is none."""
    token = _step.set(step)
    try:
        yield
    finally:
        _step.reset(token)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Name what lines inside the block are about; a block inside another one begins anew.

    Threads and tasks that inherit the context share the block: what one of them notes is on the
    lines of all.
    """
    token = _fields.set(_checked(fields))
    try:
        yield
    finally:
        _fields.reset(token)


def note(**fields: object) -> None:
    """Add to what the lines of the block around are about; outside of one nothing happens."""
    known = _fields.get()
    if known is not None:
        known.update(_checked(fields))


def noted() -> Mapping[str, object]:
    """What lines here are about."""
    found, step = _fields.get() or _NOTHING, _step.get()
    return found if step is None else {**found, "step": step}


def _checked(fields: dict[str, object]) -> dict[str, object]:
    strange = sorted(set(fields) - set(NAMES))
    if strange:
        raise LookupError(f"a line's field must be one of {', '.join(NAMES)}, got {strange[0]!r}")
    return fields
