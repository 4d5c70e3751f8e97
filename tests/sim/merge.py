"""JSON merge patches (RFC 7396), and times as Kubernetes writes them."""

import marshal
from datetime import UTC, datetime
from typing import Any, TypeVar

Thing = TypeVar("Thing")


def merged(old: Any, change: Any) -> Any:
    """The old value with a merge patch applied: objects are merged, null removes, lists replace."""
    if not isinstance(change, dict):
        return copied(change)
    new = copied(old) if isinstance(old, dict) else {}
    for key, value in change.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merged(new.get(key), value)
    return new


def copied(value: Thing) -> Thing:
    """A deep copy of what is JSON; `copy.deepcopy` takes most of a test's time."""
    copy: Thing = marshal.loads(marshal.dumps(value))  # type: ignore[arg-type]
    return copy


def timestamp(moment: datetime) -> str:
    """As metadata writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """A time that Kubernetes wrote."""
    return datetime.fromisoformat(text)
