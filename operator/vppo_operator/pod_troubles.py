"""What keeps the pods of an attempt from running, in words. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vppo_core.kube.api import KubeObject
from vppo_core.lifecycle.wording import sentence
from vppo_operator.evidence import containers_of
from vppo_operator.parts import condition, deleted_at, meta, role_of, status

_IMAGE: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_CONFIG: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
_MISSING: Final = re.compile(r'(secret|configmap) "([^"]+)" not found')
_NODES: Final = re.compile(r"^0/(\d+) nodes are available: ?")
_PART: Final = re.compile(r"^(\d+) (.+)$")
_CLAIM: Final = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_TAINT: Final = re.compile(r"node\(s\) had untolerated taint(?:\(s\))?(?: \{([^:}]*)[^}]*\})?")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an attempt does not start."""

    reason: str
    """One word for programs."""

    sentence: str
    """For people, with what may be done."""


def pod_trouble(pods: Sequence[KubeObject]) -> Trouble | None:
    """The trouble that a person has to mend first; None while pods are on their way, or run."""
    waiting = [pod for pod in pods if status(pod).get("phase") in (None, "", "Pending", "Running")]
    waiting = [pod for pod in waiting if deleted_at(pod) is None]
    for look in (_configured, _image, _crashing):
        found = next((seen for pod in waiting for seen in look(pod)), None)
        if found is not None:
            return found
    return _unschedulable(waiting)


def _configured(pod: KubeObject) -> Iterator[Trouble]:
    for _, waits in _waits(pod, _CONFIG):
        said = str(waits.get("message") or waits["reason"])
        missing = _MISSING.search(said)
        if missing is None:
            text = f"A container of role {role_of(pod)} cannot be made: {said}"
            yield Trouble("ContainerConfig", sentence(text))
            return
        kind, name = missing.groups()
        place = f"the namespace '{meta(pod).get('namespace')}'"
        if kind == "secret":
            text = f"There is no Secret '{name}' in {place}; create it, or clone the job with "
            yield Trouble("MissingSecret", text + "another placement.secret.")
        else:
            yield Trouble("ContainerConfig", f"There is no ConfigMap '{name}' in {place}.")


def _image(pod: KubeObject) -> Iterator[Trouble]:
    for container, waits in _waits(pod, _IMAGE):
        image = container.get("image") or "of the platform"
        said = " ".join(str(waits.get("message") or "").split())
        why = f" ({said[:300].rstrip('.')})" if said else ""
        text = (
            f"The image '{image}' of role {role_of(pod)} cannot be pulled{why}; "
            "check cluster.image and cluster.imagePullSecrets of the platform."
        )
        yield Trouble("ImagePull", text)


def _crashing(pod: KubeObject) -> Iterator[Trouble]:
    for container, _ in _waits(pod, frozenset({"CrashLoopBackOff"})):
        last = (container.get("lastState") or {}).get("terminated") or {}
        code = last.get("exitCode", "unknown")
        text = (
            f"A container of role {role_of(pod)} ends as soon as it starts (exit code {code}); "
            f"see the log of pod '{meta(pod).get('name')}'."
        )
        yield Trouble("CrashLoop", text)


def _unschedulable(pods: Sequence[KubeObject]) -> Trouble | None:
    stuck = [pod for pod in pods if _is_unschedulable(pod)]
    if not stuck:
        return None
    roles = sorted({role_of(pod) for pod in stuck})
    count = "1 pod" if len(stuck) == 1 else f"{len(stuck)} pods"
    who = f"{count} of {'role' if len(roles) == 1 else 'roles'} {', '.join(roles)}"
    said = str(condition(stuck[0], "PodScheduled").get("message") or "")
    return Trouble("Unschedulable", f"No node has room for {who}: {node_words(said)}.")


def _is_unschedulable(pod: KubeObject) -> bool:
    scheduled = condition(pod, "PodScheduled")
    return scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"


def node_words(message: str) -> str:
    """The scheduler's message in words: `of 3 nodes 3 have too few free GPUs (nvidia.com/gpu)`."""
    text = " ".join(message.split()).partition(". preemption:")[0].rstrip(".")
    nodes = _NODES.match(text)
    claim = _CLAIM.search(text)
    if claim is not None:
        return f"there is no PersistentVolumeClaim '{claim[1]}' (cluster.storage.claim); create it"
    if nodes is None:
        return text or "the scheduler does not say why"
    if nodes[1] == "0":
        return "the cluster has no nodes"
    parts = [
        _part(part.strip())
        for part in re.split(r", (?=\d)|\. (?=[A-Za-z0-9])", text[nodes.end() :])
    ]
    return f"of {nodes[1]} nodes {', '.join(parts)}"


def _part(text: str) -> str:
    found = _PART.match(text)
    if found is None:
        return text
    count, what = found.groups()
    has, does = ("has", "does") if count == "1" else ("have", "do")
    taint = _TAINT.match(what)
    if taint is not None:
        return f"{count} {has} a taint that the pool does not tolerate ({taint[1] or 'unnamed'})"
    if what.lower().startswith("insufficient "):
        return f"{count} {has} too {_short_of(what.split(' ', 1)[1])}"
    if "node affinity" in what or "node selector" in what:
        return f"{count} {does} not have the labels of the pool"
    if "unschedulable" in what:
        return f"{count} {'takes' if count == '1' else 'take'} no pods (cordoned)"
    return f"{count} {what}"


def _short_of(resource: str) -> str:
    plain = {"cpu": "few free CPUs", "memory": "little free memory", "pods": "many pods"}
    if resource in plain:
        return plain[resource]
    if "gpu" in resource:
        return f"few free GPUs ({resource})"
    return f"little of {resource}"


def _waits(
    pod: KubeObject, reasons: frozenset[str]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Containers of a pod that wait for one of these reasons, and what they wait for."""
    for container in containers_of(pod):
        waits = (container.get("state") or {}).get("waiting") or {}
        if waits.get("reason") in reasons:
            yield container, waits
