"""How an answer is graded."""

from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import SpecModel, UnitInterval


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
