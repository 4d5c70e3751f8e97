"""`python -m vppo_services.api`: the control plane of one machine, or the API of a cluster."""

import argparse
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from vppo_core.archive.database import DATABASE_FILE, Database, open_database
from vppo_core.errors import InvalidSpecError, VPPOError
from vppo_core.logs import LOG_FORMATS, send_to
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.platform_file import load_cluster_platform
from vppo_services.api.app import create_app
from vppo_services.api.settings import ApiSettings, StoreKind, read_settings
from vppo_services.local.launcher import Launcher
from vppo_services.local.loop import Loop
from vppo_services.local.platform import (
    load_platform,
    machine_platform,
    refuse_inside_a_cluster,
)
from vppo_services.local.store import SqlJobStore

_SETTINGS = (
    "job_store",
    "host",
    "port",
    "state",
    "platform",
    "token_file",
    "database",
    "log_format",
)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. Jobs that run then go on by themselves."""
    options = _parser().parse_args(arguments)
    try:
        _serve(options)
    except VPPOError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"error: {line}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vppo_services.api",
        description=__doc__,
        epilog="Each option but the last two may be given as API_HOST, API_STATE, ... instead.",
    )
    parser.add_argument("--job-store", choices=[kind.value for kind in StoreKind])
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--platform", type=Path, help="pools and queues, YAML or JSON")
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--database", help="SQLAlchemy URL; default: a file in --state")
    parser.add_argument("--log-format", choices=LOG_FORMATS)
    parser.add_argument("--no-loop", action="store_true", help="serve only; another one runs jobs")
    parser.add_argument("--force", action="store_true", help="run jobs even inside a cluster")
    return parser


def _serve(options: argparse.Namespace) -> None:
    given = {name: getattr(options, name) for name in _SETTINGS}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    role = "api" if settings.is_cluster else "serve"
    send_to(sys.stderr, role=role, style=settings.log_format, level=logging.INFO, only_ours=True)
    if settings.is_cluster:
        _serve_cluster(settings)
    else:
        _serve_machine(settings, is_loop_on=not options.no_loop, force=options.force)


def _serve_machine(settings: ApiSettings, *, is_loop_on: bool, force: bool) -> None:
    refuse_inside_a_cluster(os.environ, force)
    platform = (
        load_platform(settings.platform) if settings.platform else machine_platform(os.environ)
    )
    state = _folder(settings.state)
    with (
        closing(_database(settings, state)) as db,
        _running_jobs(db, state, platform, is_on=is_loop_on) as loop,
    ):
        store = SqlJobStore(
            db, jobs_folder=state / "jobs", platform=platform, clock=_now, wake=loop.wake
        )
        # Who runs no jobs has nothing to tell of them.
        registry = loop.series.registry if is_loop_on else None
        _listen(create_app(store, settings, registry=registry), settings, state)


def _serve_cluster(settings: ApiSettings) -> None:
    """VPPOJobs are the jobs, and the operator runs them; here nothing does."""
    # A machine without a cluster has no Kubernetes client either.
    from vppo_core.kube.client import KubeClient
    from vppo_services.api.cluster_door import ClusterCallers
    from vppo_services.cluster.store import KubeJobStore

    assert settings.platform is not None, "the settings ask for it"
    platform = load_cluster_platform(settings.platform)
    state = _folder(settings.state)
    kube = KubeClient.from_environment()
    with closing(_database(settings, state)) as db:
        store = KubeJobStore(
            kube,
            db,
            jobs_folder=state / "jobs",
            platform=platform,
            clock=_now,
            namespace=settings.namespace,
        )
        app = create_app(store, settings, authenticator=ClusterCallers(kube))
        _listen(app, settings, state)


def _database(settings: ApiSettings, state: Path) -> Database:
    return open_database(settings.database or f"sqlite:///{state / DATABASE_FILE}")


@contextmanager
def _running_jobs(
    db: Database, state: Path, platform: PlatformSpec, *, is_on: bool
) -> Iterator[Loop]:
    """The loop in a thread of its own; what it started outlives it."""
    launcher = Launcher(state / "jobs")
    loop = Loop(db, launcher, platform=platform, clock=_now, state=state)
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,), name="jobs", daemon=True)
    if is_on:
        thread.start()
    try:
        yield loop
    finally:
        stop.set()
        loop.wake()
        if is_on:
            thread.join(timeout=10.0)


def _listen(app: Any, settings: ApiSettings, state: Path) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,  # its lines go where ours go
        log_level="warning",
        access_log=False,
        server_header=False,
        # Streams never end by themselves; they are cut, and their readers come back.
        timeout_graceful_shutdown=2,
    )
    with _socket(settings) as listener:
        host, port = listener.getsockname()[:2]
        address = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"vppo serves http://{address}:{port} (page: /ui/, state: {state})\n")
        sys.stderr.flush()
        uvicorn.Server(config).run(sockets=[listener])


def _socket(settings: ApiSettings) -> socket.socket:
    host, port = settings.host.strip("[]"), settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidSpecError(
            f"--host and --port must be an address that is free here, got {host} and {port} "
            f"({error.strerror}); stop what listens there, or choose another"
        ) from None


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSpecError(
            f"--state must name a folder that can be written, got '{path}' ({error.strerror}); "
            "choose another"
        ) from None
    return path.absolute()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
