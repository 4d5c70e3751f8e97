"""Two API processes on one archive, or on one cluster: a key is one job, whoever is first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.sim.kube_server import SimulatedServer
from vppo_services.api.app import create_app
from vppo_services.api.job_store import JobStore
from vppo_services.api.settings import ApiSettings

SENDERS = 8
ROUNDS = 10


def client_of(store: JobStore) -> TestClient:
    app = create_app(store, ApiSettings(rate=1e6, burst=1_000_000))
    return TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1))


@pytest.mark.parametrize("kind", ["machine", "cluster"])
def test_one_key_sent_to_two_servers_at_once_makes_one_job(
    tmp_path: Path,
    open_store: Callable[..., Any],
    open_cluster_store: Callable[..., Any],
    minimal_job: Callable[..., dict[str, Any]],
    kind: str,
) -> None:
    server = SimulatedServer()
    with ExitStack() as stack, ThreadPoolExecutor(SENDERS) as senders:
        clients = []
        for _ in range(2):
            is_machine = kind == "machine"
            db, store = open_store(tmp_path) if is_machine else open_cluster_store(tmp_path, server)
            stack.callback(db.close)
            clients.append(client_of(store))

        def send(key: str, number: int) -> tuple[int, str]:
            reply = clients[number % 2].post(
                "/jobs", json=minimal_job(), headers={"idempotency-key": key}
            )
            return reply.status_code, reply.json()["metadata"]["uid"]

        for turn in range(ROUNDS):
            asked = [senders.submit(send, f"key-{turn}", number) for number in range(SENDERS)]
            replies = [one.result(timeout=60) for one in asked]
            assert sorted(status for status, _ in replies) == [200] * (SENDERS - 1) + [201]
            assert len({uid for _, uid in replies}) == 1
        assert len(clients[0].get("/jobs?limit=100").json()["items"]) == ROUNDS
