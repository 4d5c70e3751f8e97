"""Events of the cluster as wake-ups of jobs, and when the last ones came."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from vppo_core.kube.kinds import RAY_JOBS
from vppo_operator.parts import meta
from vppo_operator.work_queue import WorkQueue

Job = tuple[str, str]
"""Namespace and name."""

_ATTEMPT: Final = re.compile(r"(.+)-a[0-9]{1,4}")


class WakeUps:
    """Wakes jobs; all methods belong to the event loop and return at once."""

    def __init__(
        self,
        queue: WorkQueue[Job],
        *,
        clock: Callable[[], float],
        has_seen: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        """Nothing was heard yet.

        Args:
            clock: seconds that only go up.
            has_seen: whether a look knows this version of an object already, by its metadata.
        """
        self._queue = queue
        self._clock = clock
        self._has_seen = has_seen
        self.heard_at = clock()
        """When the last event came."""

        self.canary_at = clock()
        """When the canary came back last."""

    def job(self, namespace: str, name: str, event: Mapping[str, Any]) -> None:
        """A job object changed: somebody waits for what comes of it."""
        self._wake((namespace, name), event, is_urgent=True)

    def child(self, namespace: str, job: str, event: Mapping[str, Any]) -> None:
        """A RayJob, RayCluster or Workload of a job changed."""
        self._wake((namespace, job), event, is_urgent=False)

    def pod(self, namespace: str, job: str) -> None:
        """A pod of a job changed: there are many of them, and many changes."""
        self.heard_at = self._clock()
        self._queue.nudge((namespace, job))

    def report(self, namespace: str, job: str) -> None:
        """A driver reported."""
        self._queue.nudge((namespace, job))

    def canary(self) -> None:
        """What we wrote came back through a watch."""
        self.heard_at = self.canary_at = self._clock()

    def _wake(self, job: Job, event: Mapping[str, Any], *, is_urgent: bool) -> None:
        self.heard_at = self._clock()
        thing, is_gone = meta(event["object"]), event["type"] == "DELETED"

        def is_news() -> bool:
            # What is gone may have the version that it was seen with.
            return is_gone or not self._has_seen(thing)

        # The answer to a write may come after its event: the queue asks again then.
        if is_news():
            self._queue.wake(job, is_urgent=is_urgent, is_news=is_news)


def job_of_workload(workload: Mapping[str, Any]) -> str:
    """The job that a Workload is about: its RayJob has the job's name in its own; else empty."""
    for owner in meta(workload).get("ownerReferences") or ():
        found = _ATTEMPT.fullmatch(str(owner.get("name", "")))
        if owner.get("kind") == RAY_JOBS.name and found is not None:
            return found[1]
    return ""
