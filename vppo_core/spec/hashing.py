"""One text and one number for what a job asks, and what differs between two of them."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from vppo_core.spec.fields import leaves
from vppo_core.spec.job import VPPOJobSpec

MUTABLE: Final = (
    "desiredState",
    "priority",
    "activeDeadlineSeconds",
    "pendingDeadlineSeconds",
    "ttlSecondsAfterFinished",
)
"""Fields that may be changed while a job runs."""

CHANGEABLE: Final = (
    *MUTABLE,
    "learner.numSteps",
    "checkpoint.",
    "evaluation.",
    "scheduling.",
    "tracking.",
    "placement.",
)
"""Fields, or beginnings of fields, that a resumed run may change: they do not alter its course."""


@dataclass(frozen=True)
class Difference:
    """One field that has two values."""

    path: str
    """Path on the wire, such as `learner.numSteps`."""

    before: Any
    """Value in the first spec."""

    after: Any
    """Value in the second one."""

    @property
    def may_change_on_resume(self) -> bool:
        """Whether a run that was started with `before` may go on with `after`."""
        return self.path.startswith(CHANGEABLE)


def canonical_json(spec: VPPOJobSpec) -> str:
    """The resolved spec, defaults included: names of the wire, sorted, without blanks."""
    return json.dumps(
        spec.model_dump(mode="json", by_alias=True),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def spec_hash(spec: VPPOJobSpec) -> str:
    """SHA-256 of the canonical JSON in hexadecimal; a default written out changes nothing."""
    return hashlib.sha256(canonical_json(spec).encode()).hexdigest()


def differences(before: VPPOJobSpec, after: VPPOJobSpec) -> tuple[Difference, ...]:
    """The fields whose values differ, in the order of the spec."""
    old, new = (spec.model_dump(mode="json", by_alias=True) for spec in (before, after))
    found = []
    for leaf in leaves():
        one, other = old, new
        for name in leaf.path:
            one, other = one[name], other[name]
        if one != other:
            found.append(Difference(".".join(leaf.path), one, other))
    return tuple(found)
