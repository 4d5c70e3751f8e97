"""Name of a grader in the spec -> the function that grades."""

import importlib
import math
from collections.abc import Callable
from typing import Any, Final

from vppo_core.errors import InvalidSpecError
from vppo_core.rewards.base import GradeFn, Reward, Verdict
from vppo_core.rewards.format import format_score

BUILT_IN: Final = {
    "math": "vppo_core.rewards.math:grade",
    "math_verify": "vppo_core.rewards.math_verify:grade",
    "exact_match": "vppo_core.rewards.exact_match:grade",
}


def resolve(grader: str) -> GradeFn:
    """The function that `reward.grader` names; its module is imported here and not before.

    Args:
        grader: a built-in name, or `package.module:function`. Such a function takes the response
            text and the reference answer, and returns its accuracy, a number in [0, 1], or a
            `Reward`. A number becomes `ok` above 0, else `wrong`, with the response's format score.

    Raises:
        InvalidSpecError: no such name, module or function.
    """
    if grader in BUILT_IN:
        return _load(grader, BUILT_IN[grader])
    if ":" not in grader:
        known = ", ".join(f"'{name}'" for name in BUILT_IN)
        raise InvalidSpecError(
            f"reward.grader must be one of {known} or 'package.module:function', got '{grader}'; "
            "choose one of these, or name a function of your own with a colon before it"
        )
    return _Custom(grader, _load(grader, grader))


def _load(grader: str, target: str) -> Callable[..., Any]:
    module_name, _, function_name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module is the user's: anything may happen while it loads
        raise InvalidSpecError(
            f"reward.grader must name a module that can be imported, got '{grader}' "
            f"({type(error).__name__}: {error}); install it or put it on PYTHONPATH"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InvalidSpecError(
            f"reward.grader must name a function, got '{grader}': module '{module_name}' has "
            f"no callable '{function_name}'; correct the name after the colon"
        )
    return function  # type: ignore[no-any-return]


class _Custom:
    """A function of the user's own, held to what a grader may return."""

    def __init__(self, grader: str, function: Callable[[str, str], object]) -> None:
        self._grader = grader
        self._function = function

    def __call__(self, response_text: str, answer: str, /) -> Reward:
        result = self._function(response_text, answer)
        if isinstance(result, Reward):
            self._check(result.accuracy)
            self._check(result.format)
            return result
        accuracy = self._check(result)
        verdict = Verdict.OK if accuracy > 0.0 else Verdict.WRONG
        return Reward(accuracy, format_score(response_text), verdict)

    def _check(self, value: object) -> float:
        # numpy's and torch's scalars know __float__ and are no subclass of float.
        number = float(value) if hasattr(value, "__float__") else math.nan
        if not 0.0 <= number <= 1.0:
            raise ValueError(
                f"'{self._grader}' must return a number in [0, 1] or a Reward, got {value!r}; "
                "scale it into that range"
            )
        return number
