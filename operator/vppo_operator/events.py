"""What happened, as Events of the cluster: one series for each job, reason and message."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import AlreadyExistsError, KubeError
from vppo_core.kube.kinds import EVENTS
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.spec.origin import REQUEST_ID, request_of
from vppo_operator.parts import meta

_log = logging.getLogger(__name__)

CONTROLLER: Final = "vppo.io/operator"
ACTION: Final = "Reconcile"
_NOTE_BYTES: Final = 1024


class EventWriter:
    """Writes Events about jobs. A failure is logged and nothing else: the archive has them too."""

    def __init__(self, api: KubeApi, clock: Callable[[], datetime], *, instance: str) -> None:
        """Nothing is written yet.

        Args:
            instance: name of this program's pod.
        """
        self._api = api
        self._clock = clock
        self._instance = instance[:128]

    def write(self, document: KubeObject, events: Sequence[JobEvent]) -> None:
        """Write the events of a job."""
        for event in events:
            try:
                self._write(document, event)
            except KubeError as error:
                _log.warning("the event %s could not be written: %s", event.reason, error)

    def _write(self, document: KubeObject, event: JobEvent) -> None:
        head = meta(document)
        namespace, now = str(head["namespace"]), _micro(self._clock())
        name = _name(str(head["name"]), str(head["uid"]), event)
        origin = request_of(head.get("annotations") or {})
        notes = {"annotations": {REQUEST_ID: origin}} if origin else {}
        body: KubeObject = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.name,
            "metadata": {"name": name, "namespace": namespace, **notes},
            "eventTime": now,
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": ACTION,
            "reason": event.reason,
            "type": event.kind,
            "note": event.message.encode()[:_NOTE_BYTES].decode("utf-8", "ignore"),
            "regarding": {
                "apiVersion": document.get("apiVersion"),
                "kind": document.get("kind"),
                "namespace": namespace,
                "name": head["name"],
                "uid": head["uid"],
            },
        }
        try:
            self._api.create(EVENTS, body)
        except AlreadyExistsError:
            known = self._api.get(EVENTS, namespace, name) or {}
            count = int((known.get("series") or {}).get("count") or 1) + 1
            series = {"count": count, "lastObservedTime": now}
            self._api.patch(EVENTS, namespace, name, {"series": series})


def _name(job: str, uid: str, event: JobEvent) -> str:
    text = "\0".join((uid, event.kind, event.reason, event.message))
    return f"{job}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
