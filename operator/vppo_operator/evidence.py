"""Why an attempt goes under, by its pods and by Kueue. Pure.

Pods are gone when the attempt is over, so that what is found here is kept until then.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vppo_core.kube.api import KubeObject
from vppo_core.lifecycle.wording import sentence
from vppo_core.runs.view import Verdict
from vppo_core.spec.status import FailureClass, Outcome
from vppo_operator.parts import condition, meta, role_of, status

_LOST_NODE: Final = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})
_LOST_REASONS: Final = frozenset({"NodeLost", "NodeAffinity", "UnexpectedAdmissionError"})
_ENDED_BY_NODE: Final = frozenset({"Evicted", "Preempting", "Preempted", "Terminated", "Shutdown"})
_EVICTIONS: Final = {
    "NodeFailures": FailureClass.NODE_LOST,
    "MaximumExecutionTimeExceeded": FailureClass.DEADLINE,
}
"""By Kueue's reason; others give the quota to somebody else."""


def evidence_of(pods: Sequence[KubeObject], workload: KubeObject | None) -> Verdict | None:
    """The strongest cause that can be seen: memory, then a node that was taken, then quota."""
    for look in (_out_of_memory, _disrupted):
        found = next((seen for pod in pods for seen in look(pod)), None)
        if found is not None:
            return found
    return _evicted(workload)


def _out_of_memory(pod: KubeObject) -> Iterator[Verdict]:
    for container in containers_of(pod):
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            if (state.get("terminated") or {}).get("reason") == "OOMKilled":
                limit = _memory_limit(pod, str(container.get("name")))
                text = f"A container of role {role_of(pod)} was killed: out of memory{limit}"
                yield _verdict(Outcome.FAILED, FailureClass.OUT_OF_MEMORY, text)
    said = str(status(pod).get("message") or "")
    if status(pod).get("reason") == "Evicted" and "memory" in said.lower():
        text = f"The node of role {role_of(pod)} ran out of memory: {said}"
        yield _verdict(Outcome.FAILED, FailureClass.OUT_OF_MEMORY, text)


def _disrupted(pod: KubeObject) -> Iterator[Verdict]:
    reason = str(status(pod).get("reason") or "")
    target = condition(pod, "DisruptionTarget")
    if target.get("status") == "True":
        reason = str(target.get("reason") or reason)
        is_lost = reason in _LOST_NODE
    elif reason in _LOST_REASONS or reason in _ENDED_BY_NODE:
        is_lost = reason in _LOST_REASONS
    else:
        return
    where = f"A pod of role {role_of(pod)} lost its node ({reason})"
    failure = FailureClass.NODE_LOST if is_lost else FailureClass.PREEMPTED
    yield _verdict(Outcome.LOST, failure, where)


def _evicted(workload: KubeObject | None) -> Verdict | None:
    found = condition(workload, "Evicted")
    if found.get("status") != "True":
        return None
    reason = str(found.get("reason") or "")
    preempted = condition(workload, "Preempted")
    said = str(preempted.get("message") or found.get("message") or reason)
    failure = _EVICTIONS.get(reason, FailureClass.PREEMPTED)
    return _verdict(Outcome.LOST, failure, f"Kueue took its quota ({reason}): {said}")


def containers_of(pod: KubeObject) -> list[Mapping[str, Any]]:
    """The states of all containers of a pod, those that prepare it first."""
    said = status(pod)
    return [*(said.get("initContainerStatuses") or ()), *(said.get("containerStatuses") or ())]


def _memory_limit(pod: KubeObject, name: str) -> str:
    for container in (pod.get("spec") or {}).get("containers") or ():
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
        if container.get("name") == name and limit:
            return f" (limit {limit}, pod {meta(pod).get('name')})"
    return ""


def _verdict(outcome: Outcome, failure: FailureClass, text: str) -> Verdict:
    return Verdict(outcome=outcome, failure_class=failure, message=sentence(text[:900]))
