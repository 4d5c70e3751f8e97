"""Two API processes on one archive: a key is one job, whoever is first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from vppo_services.api.app import create_app
from vppo_services.api.settings import ApiSettings
from vppo_services.local.store import SqlJobStore

SENDERS = 8
ROUNDS = 10


def client_of(store: SqlJobStore) -> TestClient:
    app = create_app(store, ApiSettings(rate=1e6, burst=1_000_000))
    return TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1))


def test_one_key_sent_to_two_servers_at_once_makes_one_job(
    tmp_path: Path, open_store: Callable[..., Any], minimal_job: Callable[..., dict[str, Any]]
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(SENDERS) as senders:
        clients = []
        for _ in range(2):
            db, store = open_store(tmp_path)
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
