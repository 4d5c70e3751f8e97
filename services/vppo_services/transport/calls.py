"""Calls to roles, awaited within a bound; a failure names role, step and cause."""

from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from vppo_core.errors import RoleDiedError, RoleTimeoutError, VPPOError


def await_all(refs: Sequence[Any], *, role: str, step: int, timeout_seconds: float) -> list[Any]:
    """Values of all calls, in order.

    Raises:
        RoleTimeoutError: not all answered in time.
        RoleDiedError: a process ended, or raised what is not an error of ours.
        VPPOError: a role raised it; passed on as it is.
    """
    try:
        return list(ray.get(list(refs), timeout=timeout_seconds))
    except GetTimeoutError as error:
        raise RoleTimeoutError(
            f"role {role} did not answer within {timeout_seconds:.0f} s at step {step}; raise its "
            "timeoutSeconds if it is only slow"
        ) from error
    except RayError as error:
        raise translate(error, role=role, step=step) from error


def translate(error: RayError, *, role: str, step: int) -> VPPOError:
    """The error of ours that a Ray error stands for."""
    if isinstance(error, OutOfMemoryError) or "running low on memory" in str(error):
        # Ray's own text is a page of advice about its settings.
        return RoleDiedError(
            f"role {role} was killed at step {step} because its node was running low on memory; "
            "the last checkpoint is kept, give the node more memory or the job a smaller batch"
        )
    if isinstance(error, RayTaskError):
        cause = error.cause
        if isinstance(cause, VPPOError):
            return cause
        return RoleDiedError(
            f"role {role} failed at step {step}: {type(cause).__name__}: {_last_line(cause)}; "
            "the last checkpoint is kept"
        )
    if isinstance(error, RayActorError):
        return RoleDiedError(
            f"role {role} died at step {step}: {_last_line(error)}; the last checkpoint is kept, "
            "resume from it"
        )
    return RoleDiedError(f"role {role} was lost at step {step}: {_last_line(error)}")


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
