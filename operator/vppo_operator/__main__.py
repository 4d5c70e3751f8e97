"""`python -m vppo_operator`: run the VPPOJobs of a cluster, until SIGTERM.

Settings are environment variables, `OPERATOR_...`; the cluster is the pod's, or KUBECONFIG's.
"""

import asyncio
import gc
import logging
import os
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Final

import kopf

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.errors import VPPOError
from vppo_core.instruments import PAGE_TYPE
from vppo_core.kube.api import KubeApi
from vppo_core.kube.client import KubeClient
from vppo_core.kube.errors import KubeError, KubeForbiddenError, KubeNotFoundError
from vppo_core.logs import send_to
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.platform_file import load_cluster_platform
from vppo_operator.crd_age import crd_trouble
from vppo_operator.handlers import kopf_settings, registry_of
from vppo_operator.health import Health
from vppo_operator.lease import RETRY_SECONDS, Lease
from vppo_operator.metrics import OperatorMetrics
from vppo_operator.program import Operator, notes_of, serve_health, utc_now
from vppo_operator.resync import list_jobs, own_namespace, served_kinds
from vppo_operator.settings import OperatorSettings, read_kubeconfig, read_settings

_log = logging.getLogger("vppo_operator")

LEASE: Final = "vppo-operator"
CANARY: Final = "vppo-operator-canary"
ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DATABASE_SECONDS: Final = 120.0
COLLECT_AFTER: Final = 10_000
"""New objects before Python looks for cycles among them; its own 700 cost a quarter of the time."""


def main() -> int:
    """Exit code: 0 after SIGTERM, 1 when it cannot run, or must be started anew."""
    try:
        settings = read_settings()
        send_to(
            sys.stderr,
            role="operator",
            style=settings.log_format,
            level=logging.getLevelNamesMapping()[settings.log_level],
            only_ours=False,
        )
        platform = load_cluster_platform(settings.platform_file)
        api = KubeClient.from_environment(kubeconfig=read_kubeconfig())
        return asyncio.run(_run(settings, platform, api))
    except (VPPOError, OSError, ssl.SSLError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _run(settings: OperatorSettings, platform: PlatformSpec, api: KubeApi) -> int:
    await asyncio.to_thread(_check_served, api, settings.namespaces)
    settings.state.mkdir(parents=True, exist_ok=True)
    lease = _lease(settings, api, LEASE)
    stage = _Stage()
    runner = await serve_health(settings, stage.health, stage.page)
    stopped = threading.Event()
    try:
        if settings.lease:
            await _take(lease)
            keeper = threading.Thread(target=lease.keep, args=(stopped, _lost), daemon=True)
            keeper.start()
        db = await asyncio.to_thread(_open, settings.database)
        code = await _lead(settings, platform, api, db, stage)
        if db is not None:
            db.close()
        return code
    finally:
        stopped.set()
        if settings.lease:
            await asyncio.to_thread(lease.give_up)
        await runner.cleanup()


class _Stage:
    """What probes are told: that this program stands by, then what the operator says."""

    def __init__(self) -> None:
        self.operator: Operator | None = None
        self._metrics = OperatorMetrics()

    def health(self) -> Health:
        if self.operator is not None:
            return self.operator.health()
        return Health(
            is_standby=True,
            is_synced=False,
            canary_age_seconds=None,
            resync_age_seconds=0.0,
            resync_seconds=0.0,
        )

    def page(self) -> tuple[bytes, str]:
        if self.operator is not None:
            return self.operator.page()
        return self._metrics.page(), PAGE_TYPE


async def _lead(
    settings: OperatorSettings,
    platform: PlatformSpec,
    api: KubeApi,
    db: Database | None,
    stage: _Stage,
) -> int:
    """Run the jobs until somebody says stop."""
    served = await asyncio.to_thread(served_kinds, api, settings.namespaces, platform)
    crd = await asyncio.to_thread(crd_trouble, api)
    notes = notes_of(served, crd)
    for note in notes:
        _log.warning("%s", note)
    own = settings.lease_namespace or own_namespace(ACCOUNT_NAMESPACE)
    is_watched = not settings.namespaces or own in settings.namespaces
    canary = _lease(settings, api, CANARY) if is_watched else None
    operator = Operator(
        settings, api, db=db, platform=platform, canary=canary, notes=notes, watched=served
    )
    stage.operator = operator
    gc.freeze()  # what is loaded by now stays
    gc.set_threshold(COLLECT_AFTER)
    await operator.start()
    registry = registry_of(operator.wake_ups, canary=CANARY if canary else "", optional=served)
    watching = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=kopf_settings(is_namespaced=bool(settings.namespaces)),
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            stop_flag=operator.ended,
        )
    )
    try:
        await watching
    finally:
        await operator.stop()
    return 1 if operator.ended.is_set() else 0


def _check_served(api: KubeApi, namespaces: tuple[str, ...]) -> None:
    """Go on only where there are VPPOJobs: kopf would watch nothing, and be content.

    Raises:
        KubeError: they are not served, or this program may not list them.
    """
    try:
        list_jobs(api, namespaces)
    except KubeNotFoundError:
        raise KubeNotFoundError(
            "the cluster must serve VPPOJobs (vppo.io/v1alpha1), got 404; "
            "install the chart vppo-crds"
        ) from None
    except KubeForbiddenError as error:
        raise KubeForbiddenError(
            f"this program must be allowed to list VPPOJobs ({error}); see the chart's rbac values"
        ) from None


def _open(url: str) -> Database | None:
    """The archive; a server that is about to come up is waited for.

    Raises:
        StoreError: it cannot be used, or did not come up in time.
    """
    if not url:
        return None
    deadline = time.monotonic() + DATABASE_SECONDS
    while True:
        try:
            return open_database(url)
        except StoreUnavailableError as error:
            if time.monotonic() >= deadline:
                raise
            _log.warning("the archive is waited for: %s", error)
            time.sleep(RETRY_SECONDS)


def _lease(settings: OperatorSettings, api: KubeApi, name: str) -> Lease:
    return Lease(
        api,
        namespace=settings.lease_namespace or own_namespace(ACCOUNT_NAMESPACE),
        name=name,
        identity=settings.identity or socket.gethostname(),
        clock=utc_now,
        monotonic=time.monotonic,
    )


async def _take(lease: Lease) -> None:
    """Wait until this program may run the jobs."""
    while True:
        try:
            if await asyncio.to_thread(lease.take):
                return
        except KubeError as error:
            _log.warning("the Lease cannot be taken: %s", error)
        await asyncio.sleep(RETRY_SECONDS)


def _lost() -> None:
    """Another operator may run the jobs by now: end at once, whatever is under way."""
    _log.error("the Lease is lost; this program ends")
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
