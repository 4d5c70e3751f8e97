"""How an answer is graded."""

import difflib
from typing import Annotated, Final

from pydantic import Field, field_validator

from vppo_core.spec.base import SpecModel, UnitInterval

GRADERS: Final = ("math", "math_verify", "exact_match")


class RewardSpec(SpecModel):
    """Grading of answers against the reference, each within a time limit."""

    grader: Annotated[
        str, Field(max_length=253, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*(:[A-Za-z_][A-Za-z0-9_]*)?$")
    ] = "math"
    """`math`, `math_verify`, `exact_match`, or `package.module:function` of your own."""

    format_weight: UnitInterval = 0.0
    """Weight of `<think>...</think> ... \\boxed{...}` in the reward; accuracy has the rest."""

    timeout_seconds: Annotated[float, Field(gt=0.0, le=600.0)] = 5.0
    """Time for one answer; a grader that takes longer is killed and counted."""

    score_on_failure: Annotated[float, Field(ge=-10.0, le=10.0)] = 0.0
    """Reward of an answer whose grader raised or ran out of time."""

    @field_validator("grader")
    @classmethod
    def _grader_is_known(cls, grader: str) -> str:
        if ":" in grader or grader in GRADERS:
            return grader
        near = difflib.get_close_matches(grader, GRADERS, n=1)
        cure = f"did you mean '{near[0]}'?" if near else "choose one of these"
        raise ValueError(
            "reward.grader must be 'math', 'math_verify', 'exact_match' or "
            f"'package.module:function', got '{grader}'; {cure}"
        )
