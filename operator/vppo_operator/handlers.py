"""kopf's part: it watches, and every event only wakes the job that it is about."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import kopf

from vppo_core.kube.kinds import (
    LEASES,
    PODS,
    RAY_CLUSTERS,
    RAY_JOBS,
    VPPO_JOBS,
    WORKLOADS,
    Kind,
)
from vppo_core.manifests.labels import JOB_LABEL
from vppo_operator.wake_ups import WakeUps, job_of_workload

SERVER_TIMEOUT_SECONDS: Final = 300  # an int: the server refuses 300.0
CLIENT_TIMEOUT_SECONDS: Final = 310
CONNECT_TIMEOUT_SECONDS: Final = 10
REQUEST_TIMEOUT_SECONDS: Final = 30
INACTIVITY_SECONDS: Final = 70
EXIT_SECONDS: Final = 45
FINALIZER: Final = "vppo.io/operator"
"""kopf's own one. It is never set; if it were, it would have our name."""


class _NoDiffs(kopf.DiffBaseStorage):
    """Our handlers see events, never differences; kopf would copy every object to find them."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


Handler = Callable[..., None]


def kopf_settings(*, is_namespaced: bool) -> kopf.OperatorSettings:
    """kopf without what would write to objects, wait for ever or need rights that we lack."""
    settings = kopf.OperatorSettings()
    settings.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    settings.watching.client_timeout = CLIENT_TIMEOUT_SECONDS
    settings.watching.connect_timeout = CONNECT_TIMEOUT_SECONDS
    settings.watching.inactivity_timeout = INACTIVITY_SECONDS
    settings.networking.request_timeout = REQUEST_TIMEOUT_SECONDS
    settings.persistence.finalizer = FINALIZER
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = is_namespaced
    settings.process.ultimate_exiting_timeout = EXIT_SECONDS
    return settings


def registry_of(
    wake_ups: WakeUps, *, canary: str = "", optional: Sequence[Kind] = ()
) -> kopf.OperatorRegistry:
    """What is watched.

    Args:
        canary: name of the Lease whose changes show that watches work; empty watches none.
        optional: kinds to watch beside VPPOJobs and pods, those that the cluster serves.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(log_in)
    _watch(registry, VPPO_JOBS, _on_job(wake_ups))
    _watch(registry, PODS, _on_pod(wake_ups), labels={JOB_LABEL: kopf.PRESENT})
    for kind in (RAY_JOBS, RAY_CLUSTERS):
        if kind in optional:
            _watch(registry, kind, _on_child(wake_ups), labels={JOB_LABEL: kopf.PRESENT})
    if WORKLOADS in optional:
        _watch(registry, WORKLOADS, _on_workload(wake_ups))
    if canary:
        _watch(registry, LEASES, _on_canary(wake_ups), when=_is_named(canary))
    return registry


def log_in(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Without the Kubernetes package: kopf would change its global configuration."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def _watch(registry: kopf.OperatorRegistry, kind: Kind, handler: Handler, **filters: Any) -> None:
    kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, **filters)(handler)


def _on_job(wake_ups: WakeUps) -> Handler:
    async def on_job(namespace: str, name: str, event: Mapping[str, Any], **_: Any) -> None:
        wake_ups.job(namespace, name, event)

    return on_job  # type: ignore[return-value]


def _on_child(wake_ups: WakeUps) -> Handler:
    async def on_child(
        namespace: str, labels: Mapping[str, str], event: Mapping[str, Any], **_: Any
    ) -> None:
        wake_ups.child(namespace, labels[JOB_LABEL], event)

    return on_child  # type: ignore[return-value]


def _on_pod(wake_ups: WakeUps) -> Handler:
    async def on_pod(namespace: str, labels: Mapping[str, str], **_: Any) -> None:
        wake_ups.pod(namespace, labels[JOB_LABEL])

    return on_pod  # type: ignore[return-value]


def _on_workload(wake_ups: WakeUps) -> Handler:
    async def on_workload(namespace: str, event: Mapping[str, Any], **_: Any) -> None:
        job = job_of_workload(event["object"])
        if job:
            wake_ups.child(namespace, job, event)

    return on_workload  # type: ignore[return-value]


def _on_canary(wake_ups: WakeUps) -> Handler:
    async def on_canary(**_: Any) -> None:
        wake_ups.canary()

    return on_canary  # type: ignore[return-value]


def _is_named(wanted: str) -> Callable[..., bool]:
    def is_named(name: str | None, **_: Any) -> bool:
        return name == wanted

    return is_named
