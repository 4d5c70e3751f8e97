"""The running operator: queue, resync, canary, servers, and what they share. kopf stays outside."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from vppo_core.archive.database import Database
from vppo_core.instruments import PAGE_TYPE
from vppo_core.kube.api import KubeApi
from vppo_core.kube.errors import KubeError
from vppo_core.kube.kinds import RAY_JOBS, Kind
from vppo_core.spec.platform import PlatformSpec
from vppo_operator.health import Health, health_app
from vppo_operator.lease import Lease
from vppo_operator.looking import look_at
from vppo_operator.measuring import Measures
from vppo_operator.metrics import OperatorMetrics
from vppo_operator.paced import PacedApi, TokenBucket
from vppo_operator.platform_watch import PlatformWatch
from vppo_operator.receiver import receiver_app
from vppo_operator.reconcile import Reconciler
from vppo_operator.resync import Resync, served_kinds
from vppo_operator.serving import Certificate, serve
from vppo_operator.settings import OperatorSettings
from vppo_operator.wake_ups import Job, WakeUps
from vppo_operator.work_queue import WorkQueue

_log = logging.getLogger(__name__)

TICK_SECONDS: Final = 2.0
CANARY_SECONDS: Final = 60.0
KINDS_SECONDS: Final = 60.0
EXIT_SECONDS: Final = 30.0
"""How long the looks that are under way may take when the program is to end."""


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Operator:
    """Everything that runs in one event loop beside kopf's watches."""

    def __init__(
        self,
        settings: OperatorSettings,
        api: KubeApi,
        *,
        db: Database | None,
        platform: PlatformSpec,
        canary: Lease | None,
        notes: tuple[str, ...] = (),
        watched: Sequence[Kind] | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            watched: the optional kinds that the cluster served at the start; None: it does not
                matter, nobody watches.
            canary: Lease that is written to and watched; None where it cannot be watched.
            notes: what a person should know, for `/readyz`.
        """
        self.settings = settings
        self.metrics = OperatorMetrics()
        self.metrics.leads()
        bucket = TokenBucket(settings.writes_per_second, settings.write_burst)
        self._raw = api
        self._api = PacedApi(api, bucket, count=self.metrics.count_call)
        self._canary = canary
        self._notes = notes
        self._watched = watched
        self.reconciler = Reconciler(
            self._api,
            db=db,
            state=settings.state,
            platform=platform,
            clock=utc_now,
            measures=Measures(self.metrics.registry),
        )
        self.queue: WorkQueue[Job] = WorkQueue(
            self._work, clock=time.monotonic, workers=settings.workers
        )
        self.wake_ups = WakeUps(self.queue, clock=time.monotonic, has_seen=self.reconciler.seen.has)
        self._resync = Resync(self._api, self.reconciler, self.metrics, settings.namespaces)
        self._platform = PlatformWatch(settings.platform_file, platform)
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="look")
        self._started = self._resynced = time.monotonic()
        self._first: set[Job] | None = None
        self._certificate: Certificate | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._runners: list[web.AppRunner] = []
        self.ended = asyncio.Event()
        """Set when a task ended that must not: the program has to be started anew."""

    async def start(self) -> None:
        """Serve drivers, and begin to look at jobs.

        Raises:
            OSError, ssl.SSLError: a port is taken, or the certificate cannot be read.
        """
        if self.settings.has_receiver:
            await self._serve_drivers()
        else:
            _log.warning("nobody listens to drivers: OPERATOR_RECEIVER_CERT_FILE is not set")
        for work in (
            self.queue.run,
            self._resyncing,
            self._ticking,
            self._singing,
            self._finding_kinds,
        ):
            self._tasks.append(asyncio.create_task(self._guard(work)))

    async def stop(self) -> None:
        """Finish what is under way, then let everything go."""
        self.queue.stop()
        for task in self._tasks[1:]:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=EXIT_SECONDS)
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def health(self) -> Health:
        """How it is."""
        now = time.monotonic()
        return Health(
            is_standby=False,
            is_synced=self._first is not None and not self._first,
            canary_age_seconds=now - self.wake_ups.canary_at if self._canary else None,
            resync_age_seconds=now - self._resynced,
            resync_seconds=self.settings.resync_seconds,
            notes=(*self._notes, *self._platform.notes),
        )

    def page(self) -> tuple[bytes, str]:
        """What a scrape gets."""
        now, metrics, reconciler = time.monotonic(), self.metrics, self.reconciler
        metrics.set_queue_depth(self.queue.depth)
        metrics.set_ages(
            watch_seconds=now - self.wake_ups.heard_at, resync_seconds=now - self._resynced
        )
        reconciler.measures.scraped(reconciler.archiver, reconciler.platform, utc_now())
        return metrics.page(), PAGE_TYPE

    async def _serve_drivers(self) -> None:
        settings = self.settings
        app = receiver_app(
            self._raw,
            settings.state / "jobs",
            on_report=self.wake_ups.report,
            known=self.reconciler.knows,
        )
        tls: ssl.SSLContext | None = None
        if settings.receiver_cert_file is not None and settings.receiver_key_file is not None:
            self._certificate = Certificate(settings.receiver_cert_file, settings.receiver_key_file)
            tls = self._certificate.context
        runner, port = await serve(app, settings.receiver_host, settings.receiver_port, tls=tls)
        self._runners.append(runner)
        _log.info("drivers report to port %d", port)

    async def _work(self, job: Job) -> float | None:
        loop = asyncio.get_running_loop()
        try:
            with self.metrics.look():
                return await loop.run_in_executor(self._pool, look_at, self.reconciler, job)
        finally:
            if self._first:
                self._first.discard(job)

    async def _resyncing(self) -> None:
        while True:
            try:
                jobs = await asyncio.to_thread(self._resync.run, utc_now())
            except (KubeError, OSError) as error:
                _log.warning("the jobs cannot be listed: %s", error)
                await asyncio.sleep(min(10.0, self.settings.resync_seconds))
                continue
            self._resynced = time.monotonic()
            if self._first is None:
                self._first = set(jobs)
            for job in {*jobs, *self.reconciler.known_jobs()}:
                self.queue.wake(job)
            await asyncio.sleep(self.settings.resync_seconds)

    async def _ticking(self) -> None:
        """What is looked at every other second: platform, certificate, archive."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            changed = await asyncio.to_thread(self._tick)
            if changed is not None:
                self.reconciler.platform = changed
                for job in self.reconciler.known_jobs():
                    self.queue.wake(job)

    def _tick(self) -> PlatformSpec | None:
        self.reconciler.archiver.flush()
        try:
            if self._certificate is not None and self._certificate.renew():
                _log.info("the receiver's certificate was renewed")
        except (OSError, ssl.SSLError) as error:
            _log.warning("the receiver's new certificate cannot be read: %s", error)
        return self._platform.changed()

    async def _singing(self) -> None:
        """Write to the canary, which comes back through a watch if watches work."""
        while self._canary is not None:
            try:
                await asyncio.to_thread(self._canary.touch)
            except KubeError as error:
                _log.warning("the canary cannot be written to: %s", error)
            await asyncio.sleep(CANARY_SECONDS)

    async def _finding_kinds(self) -> None:
        """End when KubeRay or Kueue was installed since the start: it is to be watched too."""
        while self._watched is not None:
            await asyncio.sleep(KINDS_SECONDS)
            served = await asyncio.to_thread(
                served_kinds, self._api, self.settings.namespaces, self.reconciler.platform
            )
            if not set(served) <= set(self._watched):
                _log.warning("there are new kinds to watch; the operator is started anew")
                self.ended.set()
                return

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("a part of the operator ended; it is started anew")
            self.ended.set()


async def serve_health(
    settings: OperatorSettings,
    health: Callable[[], Health],
    page: Callable[[], tuple[bytes, str]],
) -> web.AppRunner:
    """Serve probes and metrics, before anything else is there to be asked.

    Raises:
        OSError: the port is taken.
    """
    app = health_app(health, page)
    runner, port = await serve(app, settings.metrics_host, settings.metrics_port)
    _log.info("probes and metrics are on port %d", port)
    return runner


def notes_of(served: Sequence[Kind], crd: str) -> tuple[str, ...]:
    """What `/readyz` says about the cluster that was found at the start."""
    missing = () if RAY_JOBS in served else ("RayJobs (ray.io/v1) are not served: install KubeRay",)
    return (*missing, *((crd,) if crd else ()))
