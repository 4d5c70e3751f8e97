"""The loop, stepped by hand: jobs from submission to their end on one machine."""

import json
from datetime import timedelta
from typing import Any

import pytest

from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import FailureClass, Outcome
from vppo_services.local.loop import MAX_WAITING


def test_a_job_runs_to_its_end(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.round()
    [driver] = machine.processes.drivers
    assert "--resume" not in driver.command
    assert machine.store.get("demo").phase == "Starting"
    machine.round()
    assert machine.store.get("demo").phase == "Running"
    assert machine.store.get("demo").status.progress.display == "1/3"
    record = machine.until("demo", "Succeeded")
    [attempt] = machine.attempts("demo")
    assert (attempt.outcome, attempt.last_step) == (Outcome.SUCCEEDED, 3)
    assert (record.status.progress.display, record.status.progress.stage) == ("3/3", "")
    assert [one.step for one in machine.store.checkpoints(uid)] == [1, 2, 3]
    assert machine.store.checkpoints(uid)[0].metrics == {"reward_mean": 0.5}
    assert record.status.checkpoint is not None
    assert record.status.checkpoint.step == 3
    usage = machine.store.usage(
        start=record.created, end=record.created + timedelta(days=1), group_by="job"
    )
    assert usage[0].gpu_seconds_allocated > 0


def test_nothing_is_written_while_nothing_happens(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("first"))
    machine.submit(job_named("second"))
    machine.rounds(2)
    before = machine.store.get("second").version
    for _ in range(5):
        machine.round(train=False)
    assert machine.store.get("second").version == before


def test_a_pool_holds_one_job_at_a_time_and_higher_priority_goes_first(
    machine: Any, job_named: Any
) -> None:
    machine.submit(job_named("first"))
    machine.round()
    for name, priority in (("low", "low"), ("plain", ""), ("high", "high")):
        machine.submit(job_named(name, priority=priority))
    machine.round()
    line = [machine.store.get(name).status.queue for name in ("high", "plain", "low")]
    assert [place.position for place in line] == [1, 2, 3]
    assert "wait for" in machine.store.explain("low").sentence
    started = []
    for _ in range(40):
        machine.round()
        assert len(machine.processes.alive()) <= 1
        started = [json.loads(d.run.job.read_text()) for d in machine.processes.drivers]
    assert [job["metadata"]["name"] for job in started] == ["first", "high", "plain", "low"]
    assert machine.store.queues() == [
        {"name": "default", "pool": "local", "waiting": 0, "running": 0}
    ]


def test_two_pools_run_two_jobs_on_their_own_devices(new_machine: Any, job_named: Any) -> None:
    platform = PlatformSpec.model_validate(
        {
            "pools": [
                {"name": "left", "gpus": 2, "devices": "0,1"},
                {"name": "right", "gpus": 2, "devices": "2,3"},
            ],
            "queues": [{"name": "a", "pool": "left"}, {"name": "b", "pool": "right"}],
        }
    )
    machine = new_machine(platform)
    machine.submit(job_named("one", scheduling={"queue": "a"}))
    machine.submit(job_named("two", scheduling={"queue": "b"}))
    machine.round()
    seen = [d.environment["CUDA_VISIBLE_DEVICES"] for d in machine.processes.alive()]
    assert seen == ["0,1", "2,3"]
    assert [queue["running"] for queue in machine.store.queues()] == [1, 1]


def test_pause_saves_and_resume_goes_on_from_there(new_machine: Any, job_named: Any) -> None:
    machine = new_machine(total=6)
    machine.submit(job_named("demo"))
    machine.rounds(3)
    machine.patch("demo", desired_state="Paused")
    machine.round(train=False)
    assert machine.store.get("demo").phase == "Stopping"
    assert machine.processes.drivers[0].signals == 1
    machine.until("demo", "Paused")
    saved = machine.attempts("demo")[0].checkpoint_step
    machine.rounds(5)
    assert len(machine.processes.drivers) == 1
    machine.patch("demo", desired_state="Running")
    machine.round(train=False)
    assert "--resume" in machine.processes.drivers[1].command
    assert machine.processes.drivers[1].first == saved
    machine.until("demo", "Succeeded")
    outcomes = [(one.outcome, one.first_step, one.last_step) for one in machine.attempts("demo")]
    assert outcomes == [(Outcome.STOPPED, 0, saved), (Outcome.SUCCEEDED, saved, 6)]


def test_a_deaf_driver_is_ended_by_force_after_its_grace(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("demo"))
    machine.round()
    machine.patch("demo", desired_state="Cancelled")
    machine.round(train=False)
    machine.round(train=False, seconds=299)
    assert machine.processes.alive()
    machine.round(train=False, seconds=2)
    assert not machine.processes.alive()
    machine.round(train=False)
    assert machine.store.get("demo").phase == "Cancelled"


def test_a_driver_that_has_said_its_last_word_has_the_grace_to_go(
    machine: Any, job_named: Any
) -> None:
    machine.submit(job_named("demo"))
    machine.submit(job_named("next"))
    machine.rounds(3)
    [driver] = machine.processes.drivers
    driver.last_word(machine.clock(), "Succeeded")
    machine.round(train=False, seconds=299)
    assert machine.store.get("demo").phase == "Running", "its trackers may still be sending"
    assert machine.store.get("next").phase == "Queued"
    machine.round(train=False, seconds=2)
    machine.round(train=False)
    assert machine.store.get("demo").phase == "Succeeded"
    assert machine.attempts("demo")[0].outcome is Outcome.SUCCEEDED


def test_a_deleted_job_saves_is_let_go_and_frees_its_name(new_machine: Any, job_named: Any) -> None:
    machine = new_machine(total=6)
    first = machine.submit(job_named("demo"))
    machine.rounds(2)
    machine.store.delete("demo", actor="ann")
    machine.rounds(4)
    gone = machine.store.get("demo")
    assert (gone.phase, gone.released is not None) == ("Cancelled", True)
    assert machine.attempts("demo")[0].outcome is Outcome.STOPPED
    second = machine.submit(job_named("demo"))
    assert second.uid != first.uid
    machine.until("demo", "Succeeded")


def test_a_lost_driver_is_swept_and_followed_by_another(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(3)
    machine.processes.drivers[0].die()
    machine.round()
    assert f"{uid}/1" in machine.processes.swept
    machine.until("demo", "Succeeded")
    lost, second = machine.attempts("demo")
    assert (lost.outcome, lost.failure_class, lost.charged) == (
        Outcome.LOST,
        FailureClass.NODE_LOST,
        False,
    )
    assert second.first_step == lost.checkpoint_step == 2


def test_a_job_in_its_back_off_lends_its_pool(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("fails"))
    machine.round()
    machine.submit(job_named("other"))
    machine.processes.drivers[0].end(machine.clock(), "Failed", failureClass="RoleDied")
    machine.round(train=False, seconds=0.001)
    assert machine.store.get("fails").phase == "Retrying"
    machine.round(train=False, seconds=0.001)
    assert machine.store.get("other").phase == "Starting"
    machine.until("other", "Succeeded")
    machine.until("fails", "Succeeded")
    assert [one.charged for one in machine.attempts("fails")] == [True, False]


def test_a_spent_budget_ends_the_job(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("fails", scheduling={"maxAttempts": 2}))
    for _ in range(60):
        machine.round(train=False)
        for driver in machine.processes.alive():
            driver.end(machine.clock(), "Failed", failureClass="RoleDied", message="no luck")
    record = machine.store.get("fails")
    assert record.phase == "Failed"
    assert len(machine.attempts("fails")) == 2
    assert "no luck" in machine.store.explain("fails").sentence


def test_out_of_memory_is_tried_once_with_half(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("demo", learner={"numSteps": 3, "maxTokensPerMicroBatch": 1000}))
    machine.round()
    [driver] = machine.processes.drivers
    driver.end(machine.clock(), "Failed", failureClass="Unknown", message="CUDA out of memory")
    machine.until("demo", "Succeeded")
    job = json.loads(driver.run.job.read_text())
    assert job["spec"]["learner"]["maxTokensPerMicroBatch"] == 500
    assert machine.store.get("demo").spec.learner.max_tokens_per_micro_batch == 1000


def test_a_job_that_cannot_be_handled_does_not_stop_the_others(
    new_machine: Any, job_named: Any
) -> None:
    platform = PlatformSpec.model_validate(
        {
            "pools": [{"name": "left"}, {"name": "right"}],
            "queues": [{"name": "a", "pool": "left"}, {"name": "b", "pool": "right"}],
        }
    )
    machine = new_machine(platform)
    broken = machine.submit(job_named("broken", scheduling={"queue": "a"}))
    machine.submit(job_named("fine", scheduling={"queue": "b"}))
    (machine.state / "jobs").mkdir()
    folder = machine.launcher.folder(broken.uid).path
    folder.write_text("not a folder")
    machine.rounds(6)
    assert machine.store.get("fine").phase == "Succeeded"
    assert machine.loop.failures > 0
    folder.unlink()
    machine.until("broken", "Succeeded")


def test_a_dead_database_is_waited_for(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("demo"))
    machine.rounds(2)
    machine.db.is_away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            machine.round()
    machine.db.is_away = False
    machine.until("demo", "Succeeded")
    assert len(machine.attempts("demo")) == 1


def test_files_expire_but_for_promoted_checkpoints(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo", ttlSecondsAfterFinished=100)).uid
    machine.until("demo", "Succeeded")
    assert machine.store.promote_checkpoint("demo", 2, actor="ann").is_promoted
    folder = machine.launcher.folder(uid).path
    machine.round(seconds=99)
    assert folder.joinpath("job.json").exists()
    machine.round(seconds=2)
    assert machine.store.get("demo").expired is not None
    assert [one.step for one in machine.store.checkpoints(uid)] == [2]
    assert [path.name for path in folder.iterdir()] == ["checkpoints"]
    assert machine.store.metrics(uid).items == ()
    assert machine.store.attempts(uid)[0].last_step == 3


def test_checkpoints_that_the_driver_dropped_are_gone(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(3)
    [driver] = machine.processes.drivers
    (driver.run.checkpoints / "step-000001" / "COMPLETE").unlink()
    machine.round()
    assert [one.step for one in machine.store.checkpoints(uid)] == [2, 3]


def test_a_long_queue_does_not_keep_running_jobs_waiting(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("runs"))
    names = [f"waits-{number}" for number in range(MAX_WAITING + 5)]
    for name in names:
        machine.submit(job_named(name))
    machine.round(train=False)
    phases = [machine.store.get(name).phase for name in names]
    assert phases.count("Queued") == MAX_WAITING
    machine.round(train=False)
    assert {machine.store.get(name).phase for name in names} == {"Queued"}
    machine.patch(names[-1], desired_state="Cancelled")
    machine.submit(job_named("first", priority="high"))
    machine.rounds(3)
    assert machine.store.get(names[-1]).phase == "Cancelled"
    assert machine.store.get(names[0]).status.queue.position == 2
    assert machine.attempts("runs")[0].last_step == 3
