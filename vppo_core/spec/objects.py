"""A job object as the doors give it back: what was asked, who it is, how it is doing."""

from datetime import datetime
from typing import Any, Final, Literal

from vppo_core.spec.base import SpecModel
from vppo_core.spec.job import API_VERSION, KIND, ObjectMeta, VPPOJobSpec
from vppo_core.spec.status import VPPOJobStatus

SERVER_FIELDS: Final = (
    "uid",
    "creationTimestamp",
    "generation",
    "resourceVersion",
    "deletionTimestamp",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "selfLink",
)
"""Fields of `metadata` that the server writes; in what a user sends they are ignored."""


class JobMeta(ObjectMeta):
    """Name, labels, and what the server knows."""

    uid: str = ""
    """Identity of this job; a later job of the same name has another."""

    creation_timestamp: datetime
    """When it was accepted."""

    deletion_timestamp: datetime | None = None
    """When its deletion was asked for."""

    generation: int = 1
    """Raised by every change of the spec."""

    resource_version: str = ""
    """Raised by every change; the ETag."""


class JobObject(SpecModel):
    """A job with its status."""

    api_version: Literal["vppo.io/v1alpha1"] = API_VERSION
    """Always `vppo.io/v1alpha1`."""

    kind: Literal["VPPOJob"] = KIND
    """Always `VPPOJob`."""

    metadata: JobMeta
    """Name, labels, identity."""

    spec: VPPOJobSpec
    """What is asked of the job, defaults included."""

    status: VPPOJobStatus = VPPOJobStatus()
    """How it is doing."""


def as_submitted(document: dict[str, Any]) -> dict[str, Any]:
    """The document without what a server wrote into it, so that what was got can be sent again."""
    plain = {name: value for name, value in document.items() if name != "status"}
    meta = plain.get("metadata")
    if isinstance(meta, dict):
        plain["metadata"] = {n: value for n, value in meta.items() if n not in SERVER_FIELDS}
    return plain
