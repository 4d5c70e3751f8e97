"""Why a job waits, or what it is doing, in one sentence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One fact behind the sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A sentence, the facts behind it, and what may be done."""

    sentence: str
    causes: tuple[Cause, ...] = ()
    hint: str = ""
