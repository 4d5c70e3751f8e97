"""`SqlJobStore`: what an API needs of it, and that it is one."""

import json
from datetime import timedelta
from typing import Any

import pytest

from vppo_core.archive.errors import (
    IdempotencyConflictError,
    JobNotFoundError,
    NameTakenError,
    NotAllowedNowError,
)
from vppo_core.archive.records import IdempotencyKey, JobQuery
from vppo_core.errors import InvalidSpecError
from vppo_services.api.job_store import JobStore
from vppo_services.local.store import SqlJobStore

KEY = IdempotencyKey(tenant="ann", key="k-1")


def as_job_store(store: SqlJobStore) -> JobStore:
    """The type checker proves that the one is the other."""
    return store


def test_it_is_a_job_store(machine: Any) -> None:
    names = [name for name in vars(JobStore) if not name.startswith("_")]
    assert [name for name in names if not hasattr(machine.store, name)] == []
    assert as_job_store(machine.store).platform == machine.platform


def test_a_job_without_a_name_gets_one_after_its_model(machine: Any, job_named: Any) -> None:
    first, _ = machine.store.create(job_named(), owner="ann")
    second, _ = machine.store.create(job_named(), owner="ann")
    assert first.name.startswith("tiny-")
    assert first.name != second.name
    assert (first.namespace, first.owner, first.generation) == ("default", "ann", 1)


def test_a_generated_name_that_is_taken_by_chance_is_made_anew(
    machine: Any, job_named: Any
) -> None:
    uids = iter(["uid-1", "uid-1", "uid-1", "uid-2"])
    store = SqlJobStore(
        machine.inner,
        jobs_folder=machine.state / "jobs",
        platform=machine.platform,
        clock=machine.clock,
        wake=lambda: None,
        new_uid=lambda: next(uids),
    )
    first, _ = store.create(job_named(), owner="ann")
    second, _ = store.create(job_named(), owner="ann")
    assert (first.uid, second.uid) == ("uid-1", "uid-2")


def test_a_repeated_request_is_one_job(machine: Any, job_named: Any) -> None:
    first, replayed = machine.store.create(job_named(), owner="ann", idempotency=KEY)
    assert not replayed
    written_out = job_named(seed=0)
    again, replayed = machine.store.create(written_out, owner="ann", idempotency=KEY)
    assert replayed
    assert again.uid == first.uid
    with pytest.raises(IdempotencyConflictError):
        machine.store.create(job_named(seed=1), owner="ann", idempotency=KEY)


def test_a_living_name_is_taken(machine: Any, job_named: Any) -> None:
    machine.store.create(job_named("demo"), owner="ann")
    with pytest.raises(NameTakenError):
        machine.store.create(job_named("demo"), owner="ann")


def test_a_patch_to_an_unknown_priority_changes_nothing(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("demo"))
    with pytest.raises(InvalidSpecError, match="priority must be one of 'low', 'high'"):
        machine.patch("demo", priority="urgent")
    assert machine.patch("demo", priority="high").spec.priority == "high"
    assert machine.patch("demo", priority="").spec.priority == ""


def test_a_job_is_found_by_its_uid_after_another_took_its_name(
    machine: Any, job_named: Any
) -> None:
    first = machine.submit(job_named("demo"))
    machine.until("demo", "Succeeded")
    second = machine.submit(job_named("demo"))
    assert machine.store.get("demo").uid == second.uid
    assert machine.store.get("demo", uid=first.uid).phase == "Succeeded"
    assert machine.store.manifest(first.uid)["uid"] == first.uid


def test_the_newest_checkpoint_stays_while_the_job_may_need_it(
    machine: Any, job_named: Any
) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(3)
    with pytest.raises(NotAllowedNowError, match="got step 2"):
        machine.store.delete_checkpoint("demo", 2, actor="ann")
    machine.store.delete_checkpoint("demo", 1, actor="ann")
    assert [one.step for one in machine.store.checkpoints(uid)] == [2]
    with pytest.raises(JobNotFoundError, match="choose one of these: 2"):
        machine.store.delete_checkpoint("demo", 1, actor="ann")
    machine.until("demo", "Succeeded")
    machine.store.delete_checkpoint("demo", 3, actor="ann")
    folder = machine.launcher.folder(uid).checkpoints
    assert sorted(path.name for path in folder.iterdir()) == ["step-000002"]
    assert "CheckpointDeleted" in machine.reasons("demo")


def test_a_promoted_checkpoint_is_marked_once(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(3)
    for _ in range(2):
        assert machine.store.promote_checkpoint("demo", 1, actor="ann").is_promoted
    assert (machine.launcher.folder(uid).checkpoints / "step-000001" / "KEEP").exists()
    assert machine.reasons("demo").count("CheckpointPromoted") == 1


def test_a_checkpoint_that_vanished_cannot_be_promoted(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(3)
    (machine.launcher.folder(uid).checkpoints / "step-000001" / "COMPLETE").unlink()
    with pytest.raises(JobNotFoundError, match="removed meanwhile"):
        machine.store.promote_checkpoint("demo", 1, actor="ann")
    assert [one.step for one in machine.store.checkpoints(uid)] == [2]


def test_a_plan_shows_the_process_without_making_anything(machine: Any, job_named: Any) -> None:
    plan = machine.store.plan_process(job_named("demo"))
    assert plan["command"][1:3] == ["-m", "vppo_services.driver"]
    assert plan["command"][-3:] == ["--attempt", "1", "--quiet"]
    assert plan["pool"] == "local"
    assert not (machine.state / "jobs").exists()
    json.dumps(plan)


def test_the_manifest_has_the_versions_of_the_attempt(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo", seed=7)).uid
    before = machine.store.manifest(uid)
    assert not before["isRecorded"]
    machine.rounds(1)
    path = machine.launcher.folder(uid).environment(1)
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "python": "3.9.0"}))
    manifest = machine.store.manifest(uid)
    assert (manifest["python"], manifest["isRecorded"], manifest["seed"]) == ("3.9.0", True, 7)
    assert manifest["specHash"] == machine.store.get("demo").spec_hash
    json.dumps(manifest)


def test_a_typical_step_is_that_of_finished_jobs_of_the_same_size(
    machine: Any, job_named: Any
) -> None:
    assert machine.store.typical_step_seconds(job_named()) is None
    machine.submit(job_named("demo"))
    machine.until("demo", "Succeeded")
    assert machine.store.typical_step_seconds(job_named()) == pytest.approx(1.0)
    assert machine.store.typical_step_seconds(job_named(rollout={"groupSize": 4})) is None
    assert machine.store.typical_step_seconds(job_named(model={"source": "demo://tin"})) is None


def test_explain_says_who_is_waited_for(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("first"))
    machine.submit(job_named("second"))
    assert "accepted" in machine.store.explain("second").sentence
    machine.rounds(2)
    assert "first" in machine.store.explain("second").sentence
    assert "Training" in machine.store.explain("first").sentence
    machine.until("first", "Succeeded")
    assert "Succeeded" in machine.store.explain("first").sentence


def test_what_is_unknown_is_not_found(machine: Any) -> None:
    store = machine.store
    with pytest.raises(JobNotFoundError):
        store.get("none")
    with pytest.raises(JobNotFoundError):
        store.explain("none")
    with pytest.raises(JobNotFoundError):
        store.manifest("0000")
    with pytest.raises(JobNotFoundError):
        store.promote_checkpoint("none", 1, actor="ann")
    with pytest.raises(JobNotFoundError):
        store.artifact_path("0000", "report.html")
    with pytest.raises(JobNotFoundError):
        store.delete_webhook("wh-0", actor="ann")
    assert store.artifacts("0000") == ()
    assert store.metrics("0000").items == ()


def test_webhooks_get_their_messages(machine: Any, job_named: Any) -> None:
    hook = machine.store.create_webhook(
        "https://example.org/hook", secret="s", events=["Created"], owner="ann"
    )
    machine.submit(job_named("demo"))
    [(delivery, found, secret)] = machine.store.due_deliveries(now=machine.clock(), limit=10)
    assert (found, secret) == (hook, "s")
    assert machine.store.due_deliveries(now=machine.clock(), limit=10) == []
    machine.store.record_delivery(
        delivery.number, status=500, error="busy", next_try=None, now=machine.clock()
    )
    again = machine.store.redeliver(hook.id, delivery.number, actor="ann")
    assert again.last_status == 500
    assert len(machine.store.due_deliveries(now=machine.clock(), limit=10)) == 1
    assert [one.number for one in machine.store.deliveries(hook.id)] == [delivery.number]
    machine.store.delete_webhook(hook.id, actor="ann")
    assert machine.store.webhooks() == []


def test_ready_and_lists(machine: Any, job_named: Any) -> None:
    machine.store.ready()
    machine.submit(job_named("demo"))
    assert [one.name for one in machine.store.list_jobs(JobQuery()).items] == ["demo"]
    now = machine.clock()
    rows = machine.store.usage(
        start=now - timedelta(days=1), end=now + timedelta(days=1), group_by="day"
    )
    assert rows == []


def test_a_row_that_cannot_be_read_does_not_stop_the_others(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("fine"))
    uid = machine.submit(job_named("damaged")).uid
    with machine.inner.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET spec_json = '{}' WHERE uid = ?", (uid,))
    machine.rounds(6)
    assert machine.store.get("fine").phase == "Succeeded"
    assert 0 < machine.loop.failures < 6
