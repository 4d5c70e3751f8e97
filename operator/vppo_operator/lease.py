"""A Lease that one of several operators holds; the others wait."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import (
    AlreadyExistsError,
    KubeConflictError,
    KubeError,
    KubeNotFoundError,
)
from vppo_core.kube.kinds import LEASES
from vppo_operator.parts import meta

DURATION_SECONDS: Final = 15
RENEW_DEADLINE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 2.0


class Lease:
    """One Lease object, tried for by one holder.

    Who holds it is believed to live as long as the object changes: only the own clock counts, since
    those of two machines may differ.
    """

    def __init__(
        self,
        api: KubeApi,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        """Nothing is asked for yet."""
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._monotonic = monotonic
        self._seen: tuple[str, float] = ("", 0.0)

    def take(self) -> bool:
        """Take the Lease, or renew it; False while another one holds it.

        Raises:
            KubeError: nobody knows.
        """
        there = self._api.get(LEASES, self._namespace, self._name)
        if there is None:
            return self._create()
        spec = there.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder not in ("", self._identity) and not self._is_stale(there):
            return False
        return self._write(there, is_new_holder=holder != self._identity)

    def give_up(self) -> None:
        """Let another one take it at once; an error only makes it wait for the end of the Lease."""
        try:
            there = self._api.get(LEASES, self._namespace, self._name) or {}
            if (there.get("spec") or {}).get("holderIdentity") == self._identity:
                self._patch(there, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except KubeError:
            return

    def touch(self) -> None:
        """Write the time into it, whoever holds it: a sign that comes back through a watch.

        Raises:
            KubeError: it could not be written.
        """
        there = self._api.get(LEASES, self._namespace, self._name)
        if there is None:
            self._create()
        else:
            self._write(there, is_new_holder=False)

    def keep(self, stop: threading.Event, on_lost: Callable[[], None]) -> None:
        """Renew it until `stop`; call `on_lost` when that fails for ten seconds."""
        renewed = self._monotonic()
        while not stop.wait(RETRY_SECONDS):
            try:
                if not self.take():
                    on_lost()
                    return
                renewed = self._monotonic()
            except KubeError:
                if self._monotonic() - renewed >= RENEW_DEADLINE_SECONDS:
                    on_lost()
                    return

    def _is_stale(self, there: KubeObject) -> bool:
        version, now = str(meta(there).get("resourceVersion", "")), self._monotonic()
        if version != self._seen[0]:
            self._seen = (version, now)
        seconds = float((there.get("spec") or {}).get("leaseDurationSeconds") or DURATION_SECONDS)
        return now - self._seen[1] >= seconds

    def _create(self) -> bool:
        now = _micro(self._clock())
        body: KubeObject = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.name,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }
        try:
            self._api.create(LEASES, body)
        except AlreadyExistsError:
            return False
        return True

    def _write(self, there: KubeObject, *, is_new_holder: bool) -> bool:
        now = _micro(self._clock())
        spec: KubeObject = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": now,
        }
        if is_new_holder:
            count = int((there.get("spec") or {}).get("leaseTransitions") or 0)
            spec |= {"acquireTime": now, "leaseTransitions": count + 1}
        try:
            self._patch(there, spec)
        except (KubeConflictError, KubeNotFoundError):
            return False
        return True

    def _patch(self, there: KubeObject, spec: KubeObject) -> None:
        version = meta(there)["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        self._api.patch(LEASES, self._namespace, self._name, body)


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
