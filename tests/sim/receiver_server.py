"""The operator's receiver on a port of this machine, with the tokens of a simulated server.

server = ReceiverServer(folder); server.start()
server.allow("token", namespace="team", job="colours")
server.known.add(("team", "colours", "uid-1", 1))
server.reported                       # (namespace, name) of each call of `on_report`
server.stop(); server.start()         # away and back, on the same port
"""

import asyncio
import ssl
import threading
from pathlib import Path

from aiohttp import web

from tests.sim.kube_server import Account, SimulatedServer
from vppo_core.runs.protocol import MAX_RUN_BYTES
from vppo_operator.receiver import receiver_app


class ReceiverServer:
    """Serves plain HTTP; with a certificate (PEM of key and certificate), TLS."""

    def __init__(
        self,
        folder: Path,
        *,
        max_run_bytes: int = MAX_RUN_BYTES,
        certificate: Path | None = None,
    ) -> None:
        self.folder = folder
        self.kube = SimulatedServer()
        self.known: set[tuple[str, str, str, int]] = set()
        self.reported: list[tuple[str, str]] = []
        self.seconds = 0.0
        """The receiver's clock."""
        self.port = 0
        self._max_run_bytes = max_run_bytes
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def allow(self, token: str, *, namespace: str, job: str, account_of: str = "") -> None:
        """A token for one job, of an account of that namespace, or of another one."""
        self.kube.reviews.accounts[token] = Account(
            f"system:serviceaccount:{account_of or namespace}:default",
            audiences=(f"vppo:{namespace}/{job}",),
        )

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(30)

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(30)
            self._loop = self._thread = None

    def _serve(self, ready: threading.Event) -> None:
        loop = self._loop = asyncio.new_event_loop()
        app = receiver_app(
            self.kube,
            self.folder,
            on_report=lambda namespace, name: self.reported.append((namespace, name)),
            known=lambda *attempt: attempt in self.known,
            clock=lambda: self.seconds,
            max_run_bytes=self._max_run_bytes,
        )
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self._tls)
        loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()
