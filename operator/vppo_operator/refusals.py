"""Attempts that the API server would not have: remembered, and tried again without a trace."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vppo_core.kube.errors import KubeError, KubeNotFoundError
from vppo_core.lifecycle.observed import Observed
from vppo_core.lifecycle.wording import sentence
from vppo_operator.facts import ClusterReader
from vppo_operator.pod_troubles import Trouble
from vppo_operator.queue_state import KUBERAY_MISSING

FIRST_PAUSE: Final = timedelta(seconds=10)
LAST_PAUSE: Final = timedelta(minutes=5)
SERVED: Final = timedelta(seconds=60)
MISSING: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class _Refused:
    trouble: Trouble
    pause: timedelta
    next_try: datetime


class Refusals:
    """What keeps attempts from being made, by job. Only memory: it is found out again."""

    def __init__(self, reader: ClusterReader) -> None:
        self._reader = reader
        self._known: dict[str, _Refused] = {}
        self._served: tuple[bool, datetime] | None = None

    def note(self, uid: str, error: KubeError, now: datetime) -> None:
        """The API server refused an object of the job's attempt."""
        before = self._known.get(uid)
        pause = min(before.pause * 2, LAST_PAUSE) if before else FIRST_PAUSE
        trouble = _words(error)
        self._known[uid] = _Refused(trouble, pause, now + pause)

    def clear(self, uid: str) -> None:
        """The attempt was made, or is not wanted any more."""
        self._known.pop(uid, None)

    def trouble(self, uid: str, rehearse: Callable[[], None], now: datetime) -> Trouble | None:
        """What keeps the next attempt from being made.

        Args:
            rehearse: tries it without making anything; called when it is time for that.
        """
        known = self._known.get(uid)
        if known is None:
            return None
        if now >= known.next_try:
            try:
                rehearse()
            except KubeError as error:
                self.note(uid, error, now)
            else:
                self.clear(uid)
                return None
        return self._known[uid].trouble

    def seconds_left(self, observed: Observed, now: datetime) -> float | None:
        """Time until the next try, of a job that waits for one."""
        known = self._known.get(observed.uid)
        if known is not None:
            return max(0.0, (known.next_try - now).total_seconds())
        is_missing = observed.queue.status.reason == KUBERAY_MISSING.reason
        return MISSING.total_seconds() if is_missing else None

    def kuberay(self, namespace: str, now: datetime) -> Trouble | None:
        """Whether KubeRay is missing; asked for all jobs together, every now and then."""
        if self._served is None or now >= self._served[1]:
            is_served = self._reader.is_kuberay_served(namespace)
            self._served = (is_served, now + (SERVED if is_served else MISSING))
        return None if self._served[0] else KUBERAY_MISSING


def _words(error: KubeError) -> Trouble:
    if isinstance(error, KubeNotFoundError):
        return KUBERAY_MISSING
    said = str(error).strip().rstrip(".")
    text = f"The API server refuses the objects of the attempt: {said}; it is tried again"
    return Trouble("AttemptRefused", sentence(text))
