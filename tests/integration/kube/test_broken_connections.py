"""A server that breaks off in the middle of TLS does not answer: it is no other mistake."""

import socket
import threading

import pytest

from tests.integration.kube.server import ApiServer
from vppo_core.kube.errors import KubeUnavailableError
from vppo_core.kube.kinds import VPPO_JOBS


def test_a_server_that_hangs_up_while_tls_begins(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:
        monkeypatch.setattr(server, "url", f"https://127.0.0.1:{rude.getsockname()[1]}")

        def hang_up() -> None:
            caller, _ = rude.accept()
            with caller:
                caller.recv(65_536)

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(KubeUnavailableError, match=r"must answer, got SSLError for /apis"):
            server.kube().get(VPPO_JOBS, "default", "demo")
