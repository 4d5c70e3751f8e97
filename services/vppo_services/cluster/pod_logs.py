"""The output of a job's head pod: all there is while its driver has not sent a line.

That is what starts before the driver: an image without the right entry point, a Ray head that does
not come up. Once the driver reports, its own log takes over.
"""

import time
from collections.abc import Callable
from typing import Final

from vppo_core.archive.errors import BadCursorError
from vppo_core.archive.run_records import Lines, LogLine
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.kinds import PODS
from vppo_core.manifests.labels import ATTEMPT_LABEL, JOB_LABEL
from vppo_core.redact import redact
from vppo_services.cluster.answers import answered
from vppo_services.cluster.objects import meta_of

NODE_TYPE: Final = "ray.io/node-type"
HEAD: Final = "head"
TAIL: Final = 1000
KEPT_SECONDS: Final = 2.0
"""How old the output may be; a stream asks four times a second."""

PREFIX: Final = "pod-"
"""Positions among these lines start with it: `pod-<attempt>-<line>`."""


def is_of_a_pod(after: str) -> bool:
    """Whether a position is one among the lines of a pod."""
    return after.startswith(PREFIX)


class PodLogs:
    """Reads head pods; what was read a moment ago is given to all that follow a job."""

    def __init__(self, kube: KubeApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[float, int, str]] = {}

    def read(self, namespace: str, job: str, *, after: str, limit: int) -> Lines[LogLine]:
        """Lines of the newest head pod behind a position; of a newer pod, from its beginning.

        Raises:
            BadCursorError: no reply gave this position.
            StoreUnavailableError.
        """
        seen, start = _position(after)
        attempt, text = self._text(namespace, job)
        is_reset = bool(after) and attempt not in (0, seen)
        first = 0 if is_reset else start
        lines = text.splitlines()[first : first + limit]
        items = tuple(_line(one, attempt) for one in lines)
        positions = tuple(f"{PREFIX}{attempt}-{first + n}" for n in range(1, len(lines) + 1))
        end = positions[-1] if positions else ("" if is_reset else after)
        return Lines(items=items, positions=positions, end=end, is_reset=is_reset)

    def _text(self, namespace: str, job: str) -> tuple[int, str]:
        """Attempt and output of the newest head pod; 0 and nothing without one."""
        now, key = self._clock(), (namespace, job)
        self._kept = {k: one for k, one in self._kept.items() if now - one[0] < KEPT_SECONDS}
        kept = self._kept.get(key)
        if kept is not None:
            return kept[1:]
        with answered():
            pods = self._kube.list(PODS, namespace, labels={JOB_LABEL: job, NODE_TYPE: HEAD})
            pod = max(pods, key=_attempt, default=None)
            if pod is None:
                found = 0, ""
            else:
                name = str(meta_of(pod)["name"])
                found = _attempt(pod), self._kube.pod_log(namespace, name, tail=TAIL)
        self._kept[key] = now, *found
        return found


def _position(after: str) -> tuple[int, int]:
    attempt, _, line = after.removeprefix(PREFIX).partition("-")
    if not after:
        return 0, 0
    if not (attempt.isdecimal() and line.isdecimal() and len(after) <= 32):
        raise BadCursorError(
            f"a position in a log must be one that a reply gave, got {after[:32]!r}; "
            "leave it out to start at the beginning"
        )
    return int(attempt), int(line)


def _attempt(pod: KubeObject) -> int:
    text = str((meta_of(pod).get("labels") or {}).get(ATTEMPT_LABEL, ""))
    return int(text) if text.isdecimal() else 0


def _line(text: str, attempt: int) -> LogLine:
    return LogLine(
        time="", level="info", role="head", attempt=attempt, step=None, message=redact(text)
    )
