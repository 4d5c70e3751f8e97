"""Rules of a job that a schema cannot say, as CEL: what may change, and what has to agree.

The sentences are those of `vppo_core.spec.job`, so that a user reads the same at every door.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from vppo_core.spec.reward import GRADERS

Rule = dict[str, Any]

_PLACE: Final = re.compile(r"\{([A-Za-z.]+)\}")


@dataclass(frozen=True, slots=True)
class Agreement:
    """A rule between fields of the spec."""

    rule: str
    """CEL on `self`, the spec."""

    message: str
    """The sentence, with `{path}` where a value stands."""

    def printed(self) -> Rule:
        """As the server takes it; the sentence as CEL that puts the values in."""
        return {"rule": self.rule, "messageExpression": _expression(self.message)}


AGREEMENTS: Final = (
    Agreement(
        "self.rollout.promptsPerStep % self.learner.promptsPerUpdate == 0",
        "learner.promptsPerUpdate must divide rollout.promptsPerStep ({rollout.promptsPerStep}), "
        "got {learner.promptsPerUpdate}; every update of a step must see the same number of groups",
    ),
    Agreement(
        "self.rollout.tensorParallelSize == "
        "(self.placement.rollout.gpus > 1 ? self.placement.rollout.gpus : 1)",
        "rollout.tensorParallelSize must equal placement.rollout.gpus ({placement.rollout.gpus}), "
        "or be 1 without GPUs, got {rollout.tensorParallelSize}; set both to the same number",
    ),
    Agreement(
        "self.dependency.enabled || "
        "(self.algorithm.shaping == 'none' && self.algorithm.tokenKeepRatio >= 1.0)",
        "dependency.enabled must be true for algorithm.shaping or a tokenKeepRatio below 1, "
        "got {dependency.enabled}; enable it, or set shaping to 'none' and tokenKeepRatio to 1",
    ),
    Agreement(
        "self.dependency.grid != 'reference' || self.dependency.fill == 'black'",
        "dependency.fill must be 'black' on the 'reference' grid, got '{dependency.fill}'; "
        "set it to 'black', or dependency.grid to 'patch'",
    ),
    Agreement(
        "self.algorithm.shapingScope != 'reference_device' || "
        "(self.algorithm.shaping != 'fixed' && self.algorithm.shapingCap <= 0.0)",
        "algorithm.shapingScope 'reference_device' must go with shaping 'dynamic' and "
        "shapingCap 0, got '{algorithm.shaping}' and {algorithm.shapingCap}; "
        "change these, or set shapingScope to 'mini_batch'",
    ),
    Agreement(
        "self.algorithm.dualClip <= 0.0 || self.algorithm.dualClip > 1.0",
        "algorithm.dualClip must be 0 (off) or above 1, got {algorithm.dualClip}; 3.0 is usual",
    ),
    Agreement(
        "self.algorithm.filterLow < self.algorithm.filterHigh",
        "algorithm.filterLow must be below algorithm.filterHigh ({algorithm.filterHigh}), "
        "got {algorithm.filterLow}; 0.01 and 0.99 drop only groups without signal",
    ),
    Agreement(
        "self.model.minPixels <= self.model.maxPixels",
        "model.minPixels must not exceed model.maxPixels ({model.maxPixels}), "
        "got {model.minPixels}; lower it or raise maxPixels",
    ),
    Agreement(
        f"self.reward.grader.contains(':') || self.reward.grader in {list(GRADERS)}",
        "reward.grader must be 'math', 'math_verify', 'exact_match' or "
        "'package.module:function', got '{reward.grader}'; choose one of these",
    ),
)
"""What `VPPOJobSpec` itself checks between fields."""

DEADLINES: Final = ("activeDeadlineSeconds", "pendingDeadlineSeconds")

NAME_RULES: Final = (
    {
        "rule": "self.metadata.name.size() <= 40",
        "message": "metadata.name must be at most 40 characters; shorten it",
    },
    {
        "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "message": "metadata.name must be a DNS-1035 label: lower-case letters, digits and '-', "
        "a letter first and no '-' last",
    },
)


def immutable(field: str) -> Rule:
    """The rule of a field that keeps its first value."""
    return {
        "rule": "self == oldSelf",
        "message": f"spec.{field} is immutable; clone the job to change it",
    }


def transitions() -> list[Rule]:
    """What may become of the fields that may change."""
    rules = [
        {
            "rule": "oldSelf.desiredState != 'Cancelled' || self.desiredState == 'Cancelled'",
            "message": "spec.desiredState: Cancelled is final; clone the job to run it again",
        }
    ]
    for field in DEADLINES:
        old, new = f"has(oldSelf.{field})", f"has(self.{field})"
        rules += [
            {
                "rule": f"!{old} || ({new} && self.{field} >= oldSelf.{field})",
                "message": f"spec.{field} may only be raised",
            },
            {
                "rule": f"{old} || !{new}",
                "message": f"spec.{field} cannot be added later: the job was accepted without it",
            },
        ]
    return rules


def agreements() -> list[Rule]:
    """What has to agree between fields."""
    return [agreement.printed() for agreement in AGREEMENTS]


def _expression(message: str) -> str:
    """CEL that puts the sentence together. The server cannot bound the cost of `string(number)`,
    that of `format` it can."""
    paths = _PLACE.findall(message)
    values = ", ".join(f"self.{path}" for path in paths)
    return f'"{_PLACE.sub("%s", message)}".format([{values}])'
