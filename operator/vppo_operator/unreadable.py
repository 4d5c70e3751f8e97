"""Jobs whose spec this version does not read: told why, and never left in the way."""

from datetime import datetime
from typing import Final

from vppo_core.errors import InvalidSpecError
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeNotFoundError
from vppo_core.kube.kinds import RAY_CLUSTERS, RAY_JOBS, VPPO_JOBS, Kind
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.manifests.labels import JOB_LABEL
from vppo_core.spec.status import ConditionType
from vppo_operator.acting import Hands
from vppo_operator.events import EventWriter
from vppo_operator.job_object import merge_patch, status_document, status_of
from vppo_operator.parts import FINALIZER, Parts, deleted_at, meta
from vppo_operator.pod_troubles import Trouble
from vppo_operator.status_writing import is_news, refused

LOOK_AGAIN: Final = 10.0


def refuse(
    api: KubeApi,
    hands: Hands,
    events: EventWriter,
    document: KubeObject,
    error: InvalidSpecError,
    *,
    now: datetime,
) -> float | None:
    """Say why the job is not accepted; when it is to be looked at again.

    One that is deleted or cancelled loses what it has in the cluster, whatever its spec says.
    """
    _tell(api, events, document, error, now)
    head = meta(document)
    is_unwanted = (document.get("spec") or {}).get("desiredState") == "Cancelled"
    if deleted_at(document) is None and not is_unwanted:
        return None
    if FINALIZER not in (head.get("finalizers") or ()):
        return None
    jobs = _children(api, RAY_JOBS, document)
    for ray_job in jobs:
        hands.delete(Parts(ray_job=ray_job))
    clusters = _children(api, RAY_CLUSTERS, document)
    if not jobs and clusters:
        hands.delete_clusters(Parts(ray_clusters=clusters))
    if jobs or clusters:
        return LOOK_AGAIN
    hands.release(document)
    return None


def _tell(
    api: KubeApi, events: EventWriter, document: KubeObject, error: InvalidSpecError, now: datetime
) -> None:
    head, before = meta(document), status_of(document)
    lines = str(error).split("\n")
    trouble = Trouble("InvalidSpec", "; also: ".join(lines))
    generation = int(head.get("generation", 0))
    seen = before.model_copy(update={"observed_generation": generation})
    status = refused(seen, trouble, before=before, now=now)
    if status == before:
        return
    change = merge_patch(document.get("status") or {}, status_document(status))
    body = {"metadata": {"resourceVersion": head["resourceVersion"]}, "status": change}
    api.patch(VPPO_JOBS, head["namespace"], head["name"], body, subresource="status")
    if is_news(before, status, ConditionType.ACCEPTED):
        told = JobEvent(kind="Warning", reason=trouble.reason, message=trouble.sentence[:1024])
        events.write(document, [told])


def _children(api: KubeApi, kind: Kind, document: KubeObject) -> list[KubeObject]:
    head = meta(document)
    try:
        return list(api.list(kind, head["namespace"], labels={JOB_LABEL: str(head["name"])}))
    except KubeNotFoundError:
        return []
