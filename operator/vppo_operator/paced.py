"""The API server, asked no faster than agreed, every call counted."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.kinds import Kind


class TokenBucket:
    """Lets a number of things happen each second, and some more at once."""

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """It is full.

        Args:
            rate: things a second over a longer time.
            burst: things at once.
        """
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._sleep = sleep
        self._left = float(burst)
        self._at = clock()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one, waiting for it where need be; seconds waited."""
        with self._lock:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
            self._at = now
            self._left -= 1.0
            wait = -self._left / self._rate if self._left < 0.0 else 0.0
        if wait > 0.0:
            self._sleep(wait)
        return wait


class PacedApi:
    """A `KubeApi` whose writes wait their turn; every call is told to `count`."""

    def __init__(
        self, api: KubeApi, bucket: TokenBucket, *, count: Callable[[str, str], None]
    ) -> None:
        """Nothing is asked yet.

        Args:
            count: called with the verb and the plural of every call.
        """
        self._api = api
        self._bucket = bucket
        self._count = count

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        """See `KubeApi`."""
        self._count("get", kind.plural)
        return self._api.get(kind, namespace, name)

    def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str | None] | None = None
    ) -> Sequence[KubeObject]:
        """See `KubeApi`."""
        self._count("list", kind.plural)
        return self._api.list(kind, namespace, labels=labels)

    def create(self, kind: Kind, body: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """See `KubeApi`."""
        self._write("create", kind)
        return self._api.create(kind, body, dry_run=dry_run)

    def patch(
        self, kind: Kind, namespace: str, name: str, body: KubeObject, *, subresource: str = ""
    ) -> KubeObject:
        """See `KubeApi`."""
        self._write("patch", kind)
        return self._api.patch(kind, namespace, name, body, subresource=subresource)

    def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", in_background: bool = True
    ) -> bool:
        """See `KubeApi`."""
        self._write("delete", kind)
        return self._api.delete(kind, namespace, name, uid=uid, in_background=in_background)

    def pod_log(self, namespace: str, pod: str, *, container: str = "", tail: int = 1000) -> str:
        """See `KubeApi`."""
        self._count("log", "pods")
        return self._api.pod_log(namespace, pod, container=container, tail=tail)

    def _write(self, verb: str, kind: Kind) -> None:
        self._bucket.take()
        self._count(verb, kind.plural)
