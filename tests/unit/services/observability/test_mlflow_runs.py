"""Runs of jobs and attempts, models, files, and what is lost for good."""

from pathlib import Path

import pytest

from tests.unit.services.observability.fake_mlflow import (
    ATTEMPT_RUN,
    JOB_RUN,
    FakeMlflowError,
    FakeRuns,
    send_all,
    sink_of,
)


def test_each_attempt_is_a_run_below_that_of_the_job(tmp_path: Path, runs: FakeRuns) -> None:
    first = sink_of(tmp_path, runs)
    first.log_step(0, {"reward_mean": 0.1}, time_seconds=1.0)
    second = sink_of(tmp_path, runs, attempt=2)  # the first never sent anything
    second.log_step(0, {"reward_mean": 0.9}, time_seconds=2.0)
    second.log_step(1, {"reward_mean": 0.2}, time_seconds=3.0)
    assert all(send_all(second))
    job, one, two = (runs.named(n) for n in (JOB_RUN, ATTEMPT_RUN, "demo attempt 2"))
    assert (job.parent_id, one.parent_id, two.parent_id) == ("", job.id, job.id)
    assert [(step, value) for _, value, _, step in one.metrics] == [(0, 0.1)]
    assert [(step, value) for _, value, _, step in two.metrics] == [(1, 0.2)]
    assert job.metrics == []
    assert second.job_run_id == job.id


def test_an_attempt_that_was_killed_is_ended_by_the_next_one(
    tmp_path: Path, runs: FakeRuns
) -> None:
    for attempt in (1, 2):
        sink = sink_of(tmp_path, runs, attempt=attempt)
        sink.start()
        sink._sender.flush(10.0)
        sink._sender.close()
    assert runs.named(ATTEMPT_RUN).statuses == ["RUNNING", "KILLED"]
    assert runs.named("demo attempt 2").statuses == ["RUNNING"]
    assert runs.named(JOB_RUN).statuses == ["RUNNING", "RUNNING"]
    assert 0 < runs.starts[JOB_RUN] == runs.starts[ATTEMPT_RUN] <= runs.starts["demo attempt 2"]
    assert sink.close("FINISHED", timeout_seconds=0.0) is False
    third = sink_of(tmp_path, runs, attempt=3)
    third.start()
    assert third.close("FINISHED", timeout_seconds=10.0)
    assert runs.named("demo attempt 2").statuses == ["RUNNING", "FINISHED"]


def test_the_summary_of_a_job_is_in_its_own_run(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    sink.log_summary(4, {"accuracy_after": 0.9}, time_seconds=1.0)
    assert all(send_all(sink))
    assert runs.named(JOB_RUN).metrics == [("summary/accuracy_after", 0.9, 1000, 4)]


def test_readings_of_the_machine_are_counted_on_over_attempts(
    tmp_path: Path, runs: FakeRuns
) -> None:
    for attempt in (1, 2):
        sink = sink_of(tmp_path, runs, attempt=attempt)
        for _ in range(2):
            sink.log_readings({"cpu_utilization_percentage": 50.0}, time_seconds=1.0)
    assert all(send_all(sink))
    key = "system/cpu_utilization_percentage"
    assert [step for step, _ in runs.curve(key)] == [0, 1, 2, 3]
    assert len(runs.named("demo attempt 2").metrics) == 2


def test_a_model_is_copied_and_registered_under_the_step_of_its_weights(
    tmp_path: Path, runs: FakeRuns
) -> None:
    sink = sink_of(tmp_path / "mlflow", runs)
    for step in (4, 8):  # a job that was given more steps after its end
        sink.log_model(tmp_path, name="demo", step=step, settings={"weights": ""})
    assert all(send_all(sink))
    folders = ["models/step-000004", "models/step-000008"]
    assert runs.named(JOB_RUN).artifacts == [(tmp_path.name, folder) for folder in folders]
    assert runs.versions == [("demo", folder) for folder in folders]


@pytest.mark.parametrize("call", ["log_model", "register", "log_artifact"])
def test_an_mlflow_that_refuses_files_ends_the_run_all_the_same(
    call: str, tmp_path: Path, runs: FakeRuns
) -> None:
    runs.broken = {call: FakeMlflowError("PERMISSION_DENIED")}
    sink = sink_of(tmp_path / "mlflow", runs)
    sink.log_model(tmp_path, name="demo", step=4, settings={"weights": ""})
    sink.log_artifact(tmp_path)
    sink.start()
    assert sink.close("FINISHED", timeout_seconds=10.0)
    assert runs.named(JOB_RUN).statuses == ["RUNNING", "FINISHED"]
    assert sink.dropped == 1


def test_a_store_of_artifacts_that_stays_away_alone_holds_up_the_numbers_for_a_while_only(
    tmp_path: Path, runs: FakeRuns
) -> None:
    runs.broken = {"log_artifact": OSError("no such bucket")}
    sink = sink_of(tmp_path / "mlflow", runs)
    sink.set_tags({"a": "b"})
    sink.log_artifact(tmp_path)
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    tries = list(send_all(sink))
    assert tries.count(False) == 19
    assert runs.curve("reward/mean") == [(0, 0.5)]
    assert sink.dropped == 1


def test_an_artifact_waits_as_long_as_mlflow_itself_is_away(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path / "mlflow", runs)
    sink.set_tags({"a": "b"})
    sink.log_artifact(tmp_path)
    while sink.pending > 1:
        sink._sender.pump()
    runs.away = True
    assert not any(sink._sender.pump() for _ in range(50))
    runs.away = False
    assert all(send_all(sink))
    assert sink.dropped == 0


def test_a_job_with_a_uid_is_found_again_when_its_folder_was_lost(
    tmp_path: Path, runs: FakeRuns
) -> None:
    first = sink_of(tmp_path / "one", runs, uid="u-1")
    for step in range(4):
        first.log_step(step, {"reward_mean": 0.1}, time_seconds=1.0)
    assert all(send_all(first))
    second = sink_of(tmp_path / "two", runs, uid="u-1", attempt=2)
    assert second.is_new
    runs.named(ATTEMPT_RUN).statuses.append("RUNNING")
    second.start()
    second._sender.close()
    for step in range(2, 6):
        second.log_step(step, {"reward_mean": 0.9}, time_seconds=2.0)
    assert all(send_all(second))
    assert runs.curve("reward/mean") == [(0, 0.1), (1, 0.1), (2, 0.1), (3, 0.1), (4, 0.9), (5, 0.9)]
    assert len(runs.runs) == 3
    assert runs.named(ATTEMPT_RUN).statuses[-1] == "KILLED"
    assert runs.named("demo attempt 2").statuses == ["RUNNING"]


def test_a_full_disk_is_said_once_and_counted(
    tmp_path: Path, runs: FakeRuns, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sink_of(tmp_path, runs)
    (tmp_path / "spool" / "00000001.jsonl").symlink_to("/dev/full")
    for step in range(5):
        sink.log_step(step, {"reward_mean": 0.5}, time_seconds=1.0)
    assert sink.dropped == 5
    assert len([r for r in caplog.records if "was lost" in r.message]) == 1


def test_many_refused_records_are_said_once(
    tmp_path: Path, runs: FakeRuns, caplog: pytest.LogCaptureFixture
) -> None:
    runs.refused = {"learner/penalty"}
    sink = sink_of(tmp_path, runs)
    for step in range(5):
        sink.log_step(step, {"penalty": 1.0}, time_seconds=1.0)
    assert all(send_all(sink))
    assert sink.dropped == 5
    assert len([r for r in caplog.records if "refused" in r.message]) == 1
