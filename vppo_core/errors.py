"""Every error a user may meet; one root, one exit code per failure class.

Subclasses have no `__init__` of their own: they cross Ray and must pickle.
"""

from typing import ClassVar


class VPPOError(Exception):
    """Root of all errors raised on purpose; the message names the rule, the value and the cure."""

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[str] = "Unknown"


class InvalidSpecError(VPPOError, ValueError):
    """A job that cannot be run as written; repeating it changes nothing."""

    exit_code = 2
    failure_class = "InvalidSpec"


class InvalidDataError(VPPOError, ValueError):
    """A data set or model that cannot be read as the job says."""

    exit_code = 2
    failure_class = "InvalidData"


class QuarantineLimitError(VPPOError):
    """More rows were set aside than `data.maxQuarantineShare` allows."""

    exit_code = 3
    failure_class = "TooManyBadRows"


class NoSignalError(VPPOError):
    """Dynamic sampling ran out of rounds: too few groups have both right and wrong answers."""

    exit_code = 4
    failure_class = "NoSignal"


class DivergedError(VPPOError):
    """Too many optimizer updates in a row had a gradient that is not finite."""

    exit_code = 5
    failure_class = "Diverged"


class RoleDiedError(VPPOError):
    """A role's process ended or raised; the message names role, step and cause."""

    exit_code = 10
    failure_class = "RoleDied"


class RoleTimeoutError(VPPOError):
    """A role did not answer within its bound."""

    exit_code = 11
    failure_class = "RoleTimeout"


class ConsistencyError(VPPOError):
    """Two roles disagree about weights, pixels or tokens; training on would be wrong."""

    exit_code = 12
    failure_class = "Inconsistent"


class CheckpointError(VPPOError):
    """A checkpoint that cannot be written where it must be, or not be read back."""

    exit_code = 13
    failure_class = "Checkpoint"
