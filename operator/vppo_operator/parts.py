"""What there is of one attempt: objects of the API server, files that its driver sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vppo_core.kube.api import KubeObject
from vppo_core.manifests.labels import ATTEMPT_LABEL, ROLE_LABEL
from vppo_core.runs.files import ExitFile, ProgressFile, StopFile
from vppo_core.runs.view import Verdict

STOP_ANNOTATION: Final = "vppo.io/stop"
FINALIZER: Final = "vppo.io/attempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFiles:
    """Files of one attempt in the mirror of its run folder."""

    was_launched: bool = False
    """Whether its RayJob was ever seen."""

    stop: StopFile | None = None
    progress: ProgressFile | None = None
    exit: ExitFile | None = None
    last_words: str = ""
    last_sign: datetime | None = None
    """When one of them was written last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything of one attempt."""

    ray_job: KubeObject | None = None
    ray_clusters: Sequence[KubeObject] = ()
    pods: Sequence[KubeObject] = ()
    workload: KubeObject | None = None
    """Kueue's record of the RayJob."""

    files: AttemptFiles = AttemptFiles()
    evidence: Verdict | None = None
    """What an earlier look found out about its end."""


def meta(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object's metadata."""
    found: Mapping[str, Any] = thing.get("metadata") or {}
    return found


def status(thing: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """An object's status; empty while it has none."""
    found: Mapping[str, Any] = (thing or {}).get("status") or {}
    return found


def moment(text: object) -> datetime | None:
    """A time of the API server; None where there is none that can be read."""
    try:
        found = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else None


def deleted_at(thing: Mapping[str, Any] | None) -> datetime | None:
    """When an object is, or was, to be gone: of a pod that is after its grace."""
    return moment(meta(thing or {}).get("deletionTimestamp"))


def condition(thing: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any]:
    """An object's condition of a type; empty where it has none."""
    found = status(thing).get("conditions") or ()
    return next((one for one in found if one.get("type") == kind), {})


def is_suspended(ray_job: Mapping[str, Any] | None) -> bool:
    """Whether a RayJob is kept asleep, as Kueue does it from the beginning."""
    spec: Mapping[str, Any] = (ray_job or {}).get("spec") or {}
    return spec.get("suspend") is True


def attempt_of(thing: Mapping[str, Any]) -> int | None:
    """The attempt that an object belongs to, by its label."""
    label = str((meta(thing).get("labels") or {}).get(ATTEMPT_LABEL, ""))
    return int(label) if label.isdecimal() and len(label) <= 4 else None


def role_of(pod: Mapping[str, Any]) -> str:
    """The role that a pod plays: `head`, or one of the four."""
    return str((meta(pod).get("labels") or {}).get(ROLE_LABEL) or "unknown")
