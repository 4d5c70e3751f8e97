"""The VPPOJobs that exist now, read from the API server."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_services.cluster.answers import answered
from vppo_services.cluster.objects import meta_of

LIST_SECONDS: Final = 1.0
"""How old a list may be. All readers of a namespace share one: it holds whole objects."""


class LiveJobs:
    """Objects of all namespaces that are served."""

    def __init__(self, kube: KubeApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._clock = clock
        self._lists: dict[str, tuple[float, Sequence[KubeObject]]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._changes: dict[str, int] = {}
        self._lock = threading.Lock()

    def get(self, namespace: str, name: str) -> KubeObject | None:
        """The object as it is now; None when there is none.

        Raises:
            StoreUnavailableError.
        """
        with answered():
            return self._kube.get(VPPO_JOBS, namespace, name)

    def list(self, namespace: str) -> Sequence[KubeObject]:
        """All objects of a namespace, at most a second old.

        Raises:
            StoreUnavailableError.
        """
        with self._lock:
            turn = self._locks.setdefault(namespace, threading.Lock())
        with turn:
            kept = self._lists.get(namespace)
            if kept is None or self._clock() - kept[0] >= LIST_SECONDS:
                asked, changes = self._clock(), self._changes.get(namespace, 0)
                with answered():
                    kept = asked, self._kube.list(VPPO_JOBS, namespace)
                with self._lock:
                    if self._changes.get(namespace, 0) == changes:
                        self._lists[namespace] = kept
            return kept[1]

    def find(self, namespace: str, uid: str) -> KubeObject | None:
        """The object with a uid, from the list; None when there is none.

        Raises:
            StoreUnavailableError.
        """
        return next((one for one in self.list(namespace) if meta_of(one).get("uid") == uid), None)

    def forget(self, namespace: str) -> None:
        """Ask anew at the next list: something of ours changed."""
        with self._lock:
            self._changes[namespace] = self._changes.get(namespace, 0) + 1
            self._lists.pop(namespace, None)
