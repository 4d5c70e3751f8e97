"""Why attempts end badly, at whose cost, and when there is another one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from vppo_core.spec.status import AttemptStatus, FailureClass

FIRST_BACKOFF_SECONDS: Final = 10.0
LAST_BACKOFF_SECONDS: Final = 600.0
HEALTHY_SECONDS: Final = 1800.0
"""An attempt that made progress for so long begins a new row of failures."""

FREE_LOST_NODES: Final = 10
"""Lost nodes in a day that are not the job's fault; beyond these it is taken to be."""


class Retry(Enum):
    """Whether there is another attempt."""

    NEVER = auto()
    AT_ONCE = auto()
    AFTER_BACKOFF = auto()
    ONCE = auto()
    """After the back-off, with half of the micro-batch; not a second time."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from a failure class."""

    is_charged: bool
    retry: Retry
    hint: str
    """What a person may do about it."""


RULES: Final = {
    FailureClass.USER_ERROR: Rule(
        True, Retry.NEVER, "Mend what the message names and submit a clone of the job."
    ),
    FailureClass.DATA_ERROR: Rule(
        True, Retry.NEVER, "Mend the data set, or raise data.maxQuarantineShare in a clone."
    ),
    FailureClass.OUT_OF_MEMORY: Rule(
        True,
        Retry.ONCE,
        "Lower learner.maxTokensPerMicroBatch or rollout.maxResponseTokens in a clone.",
    ),
    FailureClass.PREEMPTED: Rule(
        False, Retry.AT_ONCE, "Nothing is to be done; it goes on from its checkpoint."
    ),
    FailureClass.NODE_LOST: Rule(
        False, Retry.AT_ONCE, "Look at the machine if this happens again: memory, power, network."
    ),
    FailureClass.NETWORK: Rule(
        True, Retry.AFTER_BACKOFF, "Look at the network between the roles, or raise timeoutSeconds."
    ),
    FailureClass.START_TIMEOUT: Rule(
        False, Retry.NEVER, "Mend what kept it from starting and submit a clone of the job."
    ),
    FailureClass.DEADLINE: Rule(
        True, Retry.NEVER, "Submit a clone with a higher deadline; it may start from a checkpoint."
    ),
    FailureClass.RENDERING: Rule(
        False, Retry.NEVER, "This is a fault of VPPO itself; please report it with the message."
    ),
    FailureClass.APP_FAILED: Rule(
        True, Retry.AFTER_BACKOFF, "The log of the attempt has the whole story."
    ),
}

_BY_NAME: Final = {
    "InvalidSpec": FailureClass.USER_ERROR,
    "InvalidData": FailureClass.USER_ERROR,
    "TooManyBadRows": FailureClass.DATA_ERROR,
    # The same data and seed give the same answers: sampling again finds no more signal.
    "NoSignal": FailureClass.DATA_ERROR,
    "Diverged": FailureClass.APP_FAILED,
    "RoleTimeout": FailureClass.NETWORK,
    "Inconsistent": FailureClass.APP_FAILED,
    "Checkpoint": FailureClass.APP_FAILED,
    **{known.value: known for known in FailureClass},
}
"""By what a driver calls it (`vppo_core/errors.py`), or by our own word for it."""

_BY_EXIT_CODE: Final = {
    2: FailureClass.USER_ERROR,
    3: FailureClass.DATA_ERROR,
    4: FailureClass.DATA_ERROR,
    11: FailureClass.NETWORK,
    137: FailureClass.NODE_LOST,  # killed from outside: it had no time to say a word
    -9: FailureClass.NODE_LOST,
    143: FailureClass.PREEMPTED,  # told to end by somebody else than us, and did so at once
    -15: FailureClass.PREEMPTED,
}

_MARKERS: Final = (
    ("out of memory", FailureClass.OUT_OF_MEMORY),
    ("outofmemory", FailureClass.OUT_OF_MEMORY),
    ("oomkilled", FailureClass.OUT_OF_MEMORY),
    ("oom killer", FailureClass.OUT_OF_MEMORY),
    ("memoryerror", FailureClass.OUT_OF_MEMORY),
    ("cannot allocate memory", FailureClass.OUT_OF_MEMORY),
    ("low on memory", FailureClass.OUT_OF_MEMORY),
    ("nccl timeout", FailureClass.NETWORK),
    ("nccl error", FailureClass.NETWORK),
    ("ncclsystemerror", FailureClass.NETWORK),
    ("ncclremoteerror", FailureClass.NETWORK),
    ("collective operation timeout", FailureClass.NETWORK),
    ("connection reset", FailureClass.NETWORK),
    ("connection refused", FailureClass.NETWORK),
    ("marked dead", FailureClass.NODE_LOST),
    ("node was terminated", FailureClass.NODE_LOST),
)


def classify(
    *, exit_code: int | None, failure_class: str, message: str, was_launched: bool
) -> FailureClass:
    """The failure class of an attempt that ended badly.

    Args:
        exit_code: of its driver; None when it vanished without a word.
        failure_class: what the driver called it; empty or `Unknown` when it did not know.
        message: its last words. They tell apart what a driver only knows as a role that died.
        was_launched: whether there is evidence that it was ever started.
    """
    named = _BY_NAME.get(failure_class)
    if named is not None:
        return named
    if not was_launched:
        return FailureClass.START_TIMEOUT
    said = message.lower()
    for marker, found in _MARKERS:
        if marker in said:
            return found
    if failure_class not in ("", "Unknown"):
        return FailureClass.APP_FAILED
    if exit_code is None:
        return FailureClass.NODE_LOST
    return _BY_EXIT_CODE.get(exit_code, FailureClass.APP_FAILED)


def is_charged(failure_class: FailureClass) -> bool:
    """Whether it counts against `scheduling.maxAttempts` as a rule."""
    return RULES[failure_class].is_charged


def lost_too_many_nodes(attempts: Sequence[AttemptStatus], ended: datetime) -> bool:
    """Whether another lost node is beyond those that a day has free."""
    day = timedelta(days=1)
    recent = [
        one
        for one in attempts
        if one.failure_class is FailureClass.NODE_LOST
        and not one.charged
        and one.ended is not None
        and one.ended > ended - day
    ]
    return len(recent) >= FREE_LOST_NODES


def may_retry(attempts: Sequence[AttemptStatus], *, max_attempts: int, can_halve: bool) -> bool:
    """Whether there may be another attempt after these, of which the last has ended.

    Args:
        attempts: all of them, oldest first.
        max_attempts: charged ones that are allowed.
        can_halve: whether the spec allows a smaller micro-batch.
    """
    if sum(one.charged for one in attempts) >= max_attempts:
        return False
    last = attempts[-1].failure_class if attempts else None
    if last is None:
        return True
    retry = RULES[last].retry
    if retry is Retry.ONCE:
        return can_halve and ran_out_of_memory(attempts) < 2
    return retry is not Retry.NEVER


def ran_out_of_memory(attempts: Sequence[AttemptStatus]) -> int:
    """How many of the attempts ran out of memory."""
    return sum(one.failure_class is FailureClass.OUT_OF_MEMORY for one in attempts)


def retry_time(uid: str, attempts: Sequence[AttemptStatus]) -> datetime | None:
    """When the back-off after the last attempt is over; None when there is none."""
    if not attempts or not attempts[-1].charged:
        return None
    ended = attempts[-1].ended
    if ended is None:
        return None
    return ended + timedelta(seconds=backoff_seconds(uid, failures_in_a_row(attempts)))


def failures_in_a_row(attempts: Sequence[AttemptStatus]) -> int:
    """Charged failures at the end of the row; half an hour of progress begins a new one."""
    count = 0
    for one in reversed(attempts):
        count += one.charged
        if one.started and one.ended:
            healthy = (one.ended - one.started).total_seconds() >= HEALTHY_SECONDS
            if healthy:
                break
    return count


def backoff_seconds(uid: str, failures_in_a_row: int) -> float:
    """Seconds to wait: anything up to 10, 20, 40, ... 600, the same whenever it is asked."""
    doubled = FIRST_BACKOFF_SECONDS * 2.0 ** min(max(failures_in_a_row, 1) - 1, 16)
    digest = hashlib.sha256(f"{uid}/{failures_in_a_row}".encode()).digest()
    share = (int.from_bytes(digest[:4], "big") + 1) / 2.0**32
    return share * min(doubled, LAST_BACKOFF_SECONDS)
