"""Webhooks that really arrive: over TLS, from a real archive, from two senders at once."""

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.events import add_event
from vppo_core.archive.jobs import create_job
from vppo_core.spec.loading import load_job
from vppo_services.api.outbox import Outbox, new_client, verify_signature
from vppo_services.local.store_webhooks import WebhookStore

pytestmark = pytest.mark.anyio
EXAMPLE = Path(__file__).parents[4] / "helm" / "examples" / "demo-vppo.yaml"
SECRET = "0123456789abcdef"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = open_database(f"sqlite:///{tmp_path / 'vppo.db'}")
    yield db
    db.close()


def told_of(db: Database, url: str, events: int) -> WebhookStore:
    """A store with a webhook and a job, of which so many events have happened."""
    store = WebhookStore(db, now)
    store.create_webhook(url, secret=SECRET, events=("Planted",), owner="ada")
    text = EXAMPLE.read_text().replace("name: demo-vppo", "name: cubes")
    job = load_job(text)
    create_job(db, job, uid="uid-1", owner="ada", spec_hash="", now=now())
    for number in range(events):
        add_event(
            db,
            uid="uid-1",
            actor="vppo",
            kind="Normal",
            reason="Planted",
            message=f"number {number}",
            payload={},
            now=now(),
        )
    return store


async def this_machine(host: str, port: int) -> Sequence[str]:
    del host, port
    return ["127.0.0.1"]


async def test_message_of_an_event_arrives_signed_and_once(db: Database, receiver: Any) -> None:
    receiver.start()
    store = told_of(db, f"http://hooks.example:{receiver.port}/in", 1)
    async with new_client() as client:
        outbox = Outbox(store, client, now, True, resolver=this_machine)  # type: ignore[arg-type]
        assert await outbox.step() == 1
        assert await outbox.step() == 0
    [(headers, body)] = receiver.got
    assert headers["host"] == f"hooks.example:{receiver.port}"
    assert verify_signature(
        SECRET,
        timestamp=headers["x-vppo-timestamp"],
        body=body,
        given=headers["x-vppo-signature"],
        now=now(),
    )
    message = json.loads(body)
    assert (message["type"], message["message"]) == ("Planted", "number 0")
    assert message["job"]["name"] == "cubes"
    hook = store.webhooks()[0]
    row = store.deliveries(hook.id)[0]
    assert (row.attempts, row.last_status, row.next_try) == (1, 200, None)
    assert row.delivered is not None
    assert headers["x-vppo-delivery"] == str(row.number)


async def test_message_sent_again_has_the_same_number_and_body(db: Database, receiver: Any) -> None:
    receiver.start()
    store = told_of(db, f"http://hooks.example:{receiver.port}/in", 1)
    async with new_client() as client:
        outbox = Outbox(store, client, now, True, resolver=this_machine)  # type: ignore[arg-type]
        await outbox.step()
        hook = store.webhooks()[0]
        store.redeliver(hook.id, store.deliveries(hook.id)[0].number, actor="ada")
        assert await outbox.step() == 1
    (first, body), (second, same) = receiver.got
    assert body == same
    assert first["x-vppo-delivery"] == second["x-vppo-delivery"]


async def test_receiver_that_is_down_gets_it_later(db: Database, receiver: Any) -> None:
    receiver.stop()
    store = told_of(db, f"http://hooks.example:{receiver.port}/in", 1)
    async with new_client() as client:
        outbox = Outbox(store, client, now, True, resolver=this_machine)  # type: ignore[arg-type]
        await outbox.step()
    row = store.deliveries(store.webhooks()[0].id)[0]
    assert row.last_status is None
    assert "ConnectError" in row.last_error
    assert row.next_try is not None
    assert 5 < (row.next_try - now()).total_seconds() <= 10


def test_two_senders_on_one_archive_send_every_message_once(
    db: Database, receiver: Any, tmp_path: Path
) -> None:
    receiver.start()
    told_of(db, f"http://hooks.example:{receiver.port}/in", 60)

    async def send_all(own: Database) -> None:
        store = WebhookStore(own, now)
        async with new_client() as client:
            outbox = Outbox(
                store,  # type: ignore[arg-type]
                client,
                now,
                True,
                resolver=this_machine,
            )
            while await outbox.step():
                pass

    databases = [open_database(f"sqlite:///{tmp_path / 'vppo.db'}") for _ in range(2)]
    senders = [threading.Thread(target=anyio.run, args=(send_all, own)) for own in databases]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    for own in databases:
        own.close()
    rows = WebhookStore(db, now).deliveries(WebhookStore(db, now).webhooks()[0].id)
    assert [row.last_error for row in rows if row.delivered is None] == []
    numbers = [headers["x-vppo-delivery"] for headers, _ in receiver.got]
    assert len(numbers) == len(set(numbers)) == 60


@pytest.mark.parametrize(("name", "arrives"), [("hooks.example", True), ("other.example", False)])
async def test_certificate_is_checked_by_name_although_the_address_is_pinned(
    db: Database, receiver: Any, tmp_path: Path, name: str, arrives: bool
) -> None:
    key, certificate = make_certificate(tmp_path, "hooks.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    receiver.start()
    store = told_of(db, f"https://{name}:{receiver.port}/in", 1)
    trust = ssl.create_default_context(cafile=str(certificate))
    async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
        outbox = Outbox(store, client, now, True, resolver=this_machine)  # type: ignore[arg-type]
        await outbox.step()
    assert len(receiver.got) == arrives
    row = store.deliveries(store.webhooks()[0].id)[0]
    assert (row.delivered is not None) == arrives
    assert ("ostname mismatch" in row.last_error) != arrives


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate
