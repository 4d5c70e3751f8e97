"""The clients and the commands against the real API, store and loop."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vppo_core.spec.status import JobPhase, VPPOJobStatus
from vppo_services.cli.client import (
    ApiProblem,
    AsyncClient,
    Client,
    JobFilter,
    LogFilter,
    Server,
    StreamReset,
)
from vppo_services.cli.client.shapes import Event
from vppo_services.cli.main import app

ALICE, BOB = "0123456789abcdef0123", "fedcba9876543210fedc"


def job(name: str, steps: int = 3) -> dict[str, Any]:
    return {
        "apiVersion": "vppo.io/v1alpha1",
        "kind": "VPPOJob",
        "metadata": {"name": name, "labels": {"team": "vision"}},
        "spec": {
            "model": {"source": "demo://qwen2.5-vl"},
            "data": {"source": "demo://colours"},
            "learner": {"numSteps": steps},
        },
    }


@pytest.fixture
def vppo(served: Any) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        environment = {"VPPO_SERVER": served.address, "VPPO_TOKEN": ALICE}
        return CliRunner().invoke(app, list(arguments), env=environment)

    return run


def phases(changes: list[Any]) -> list[JobPhase]:
    found = [change.phase for change in changes if isinstance(change, VPPOJobStatus)]
    return [phase for index, phase in enumerate(found) if found[index - 1 : index] != [phase]]


def test_a_job_is_sent_followed_and_looked_back_on(served: Any) -> None:
    with Client(Server(served.address, ALICE)) as client:
        plan = client.plan(job("one"))
        created = client.create(job("one"), idempotency_key="k", plan_hash=plan.plan_hash)
        assert client.create(job("one"), idempotency_key="k").is_replay
        assert created.job.metadata.name == "one"
        changes = list(client.watch("one"))
        assert phases(changes)[-1] is JobPhase.SUCCEEDED
        assert next(one.reason for one in changes if isinstance(one, Event)) == "Created"
        lines = [line for line in client.stream_logs("one") if not isinstance(line, StreamReset)]
        assert [line.message for line in lines] == [f"step {n} done" for n in (1, 2, 3)]
        assert [line.step for line in client.logs("one", tail=1).items] == [3]
        assert client.logs("one", wanted=LogFilter(level="error")).items == ()
        rewards = {line.step: line.values["reward_mean"] for line in client.metrics("one").items}
        assert rewards == {1: pytest.approx(1 / 3), 2: pytest.approx(2 / 3), 3: 1.0}
        (attempt,) = client.attempts("one")
        assert (attempt.last_step, attempt.lost_steps) == (3, 0)
        assert [one.step for one in client.checkpoints("one")] == [1, 2, 3]
        client.promote_checkpoint("one", 3)
        assert client.checkpoints("one")[-1].is_promoted
        assert client.explain("one").sentence
        assert client.manifest("one")
        assert "metrics.jsonl" in [one.path for one in client.artifacts("one")]
        assert client.artifact("one", "metrics.jsonl").count(b"\n") == 3
        assert [row.group for row in client.usage(group_by="owner")] == ["alice"]
        assert [queue.name for queue in client.queues()] == ["default"]
        assert [pool.name for pool in client.pools()] == ["local"]
        assert client.schema("openapi")["openapi"].startswith("3.1")
        copy = client.clone("one", new_name="two", changes={"spec": {"learner": {"numSteps": 1}}})
        assert (copy.metadata.name, copy.spec.learner.num_steps) == ("two", 1)
        wanted = JobFilter(labels={"team": "vision"}, name_contains="o")
        assert [one.metadata.name for one in client.all_jobs(wanted)] == ["two", "one"]
        assert client.delete("two").metadata.deletion_timestamp


def test_what_the_server_refuses_has_its_kind(served: Any) -> None:
    with Client(Server(served.address, ALICE)) as client:
        client.create(job("one", steps=200))
        refused: dict[str, tuple[Callable[[], Any], int]] = {
            "not_found": (lambda: client.get("none"), 4),
            "name_taken": (lambda: client.create(job("one")), 5),
            "plan_changed": (lambda: client.create(job("two"), plan_hash="0" * 64), 5),
            "invalid_spec": (lambda: client.create({**job("two"), "spec": {}}), 2),
            "stale_version": (
                lambda: client.patch("one", {"spec": {"priority": "high"}}, version="0"),
                5,
            ),
        }
        for code, (ask, exit_code) in refused.items():
            with pytest.raises(ApiProblem) as caught:
                ask()
            assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
        client.cancel("one")
        assert phases(list(client.watch("one")))[-1] is JobPhase.CANCELLED
    for token, code in (("", "unauthenticated"), (BOB, "forbidden")):
        with Client(Server(served.address, token)) as client:
            with pytest.raises(ApiProblem) as caught:
                client.create(job("three"))
            assert (caught.value.code, caught.value.exit_code) == (code, 7)


def test_a_stream_goes_on_when_the_server_comes_back(plane: Any) -> None:
    seqs: list[int] = []
    with plane.listening():
        client = Client(Server(plane.address, ALICE))
        client.create(job("one", steps=40))
        changes = client.watch("one")
        while not any(seqs):
            change = next(changes)
            seqs += [change.seq] if isinstance(change, Event) else []
    with plane.listening(), client:
        rest = list(changes)
    assert phases(rest)[-1] is JobPhase.SUCCEEDED
    seqs += [change.seq for change in rest if isinstance(change, Event)]
    assert len(set(seqs)) == len(seqs)
    assert sorted(seqs) == [event.seq for event in plane.store.events(plane.store.get("one").uid)]


def test_the_other_client_does_the_same(served: Any) -> None:
    async def run() -> list[Any]:
        async with AsyncClient(Server(served.address, ALICE)) as client:
            await client.create(job("one"))
            changes, lines = await asyncio.gather(
                _read(client.watch("one")), _read(client.stream_metrics("one"))
            )
            assert [line.step for line in lines] == [1, 2, 3]
            assert [one.metadata.name async for one in client.all_jobs()] == ["one"]
            return changes

    assert phases(asyncio.run(run()))[-1] is JobPhase.SUCCEEDED


async def _read(items: Any) -> list[Any]:
    return [item async for item in items]


def test_a_job_is_paused_resumed_and_watched_by_commands(
    vppo: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(job("one", steps=30)))
    assert vppo("submit", str(file), "-o", "name").stdout == "one\n"
    assert vppo("resume", "one", "--wait").stdout == "OK  one is Running\n"
    assert vppo("pause", "one", "--wait").stdout == "OK  one is Paused\n"
    assert "one\tPaused" in vppo("get").stdout
    assert vppo("explain", "one").exit_code == 0
    assert vppo("resume", "one").exit_code == 0
    result = vppo("watch", "one")
    assert result.exit_code == 0
    assert "step 30/30  reward 1" in result.stdout or "Succeeded" in result.stdout
    attempts = vppo("attempts", "one").stdout.splitlines()
    assert [row.split("\t")[1] for row in attempts[1:]] == ["Stopped", "Succeeded"]
    assert len(vppo("logs", "one").stdout.splitlines()) == 30
    assert vppo("logs", "one", "--attempt", "2", "--tail", "1").stdout.endswith("step 30 done\n")
    saved = tmp_path / "saved.yaml"
    saved.write_text(vppo("get", "one", "-o", "yaml").stdout)
    assert vppo("submit", str(saved), "--name", "again").exit_code == 0
    assert vppo("delete", "again", "--yes", "--wait").stdout == "OK  again is Cancelled\n"
    for command in ("events one", "checkpoints one", "usage", "queues", "schema openapi"):
        assert vppo(*command.split()).exit_code == 0
