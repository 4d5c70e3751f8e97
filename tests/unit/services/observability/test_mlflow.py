from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.observability.fake_mlflow import (
    ATTEMPT_RUN,
    JOB_RUN,
    FakeMlflowError,
    FakeRuns,
)
from vppo_services.observability.mlflow import MlflowSink, flatten
from vppo_services.observability.sender import RefusedError


@pytest.fixture
def runs() -> FakeRuns:
    return FakeRuns()


def sink_of(folder: Path, runs: FakeRuns, **options: Any) -> MlflowSink:
    """A sink whose thread is never started: tests send by hand."""
    return MlflowSink(
        "http://mlflow",
        experiment="vppo",
        run_name="demo",
        folder=folder,
        spool_bytes=2**20,
        connect=runs.connect,
        **options,
    )


def send_all(sink: MlflowSink) -> Iterator[bool]:
    while sink.pending:
        yield sink._sender.pump()


def test_steps_arrive_under_their_catalogue_keys(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    sink.log_step(0, {"reward_mean": 0.5, "stage_seconds{sample}": 2.0}, time_seconds=10.0)
    assert all(send_all(sink))
    assert runs.named(ATTEMPT_RUN).metrics == [
        ("reward/mean", 0.5, 10_000, 0),
        ("time/stage_seconds/sample", 2.0, 10_000, 0),
    ]


def test_steps_made_while_mlflow_is_away_arrive_later_in_one_call(
    tmp_path: Path, runs: FakeRuns
) -> None:
    runs.away = True
    sink = sink_of(tmp_path, runs)
    for step in range(5):
        sink.log_step(step, {"reward_mean": step / 10}, time_seconds=float(step))
    assert next(send_all(sink)) is False
    assert sink.run_id == ""
    runs.away = False
    assert all(send_all(sink))
    assert runs.curve("reward/mean") == [(step, step / 10) for step in range(5)]
    assert runs.calls == [5]
    assert sink.dropped == 0


def test_one_call_takes_at_most_a_thousand_metrics(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    values = {f"stage_seconds{{s{n}}}": 1.0 for n in range(400)}
    for step in range(5):
        sink.log_step(step, values, time_seconds=float(step))
    assert all(send_all(sink))
    assert runs.calls == [800, 800, 400]


def test_a_restarted_process_goes_on_with_the_same_run(tmp_path: Path, runs: FakeRuns) -> None:
    first = sink_of(tmp_path, runs)
    first.log_step(0, {"reward_mean": 0.1}, time_seconds=1.0)
    assert all(send_all(first))
    first.log_step(1, {"reward_mean": 0.2}, time_seconds=2.0)
    second = sink_of(tmp_path, runs)  # the first was killed with a record unsent
    second.log_step(2, {"reward_mean": 0.3}, time_seconds=3.0)
    assert all(send_all(second))
    assert [run.name for run in runs.runs.values()] == [JOB_RUN, ATTEMPT_RUN]
    assert runs.named(ATTEMPT_RUN).id == second.run_id
    assert runs.curve("reward/mean") == [(0, 0.1), (1, 0.2), (2, 0.3)]


def test_a_step_that_is_trained_again_is_not_logged_again(tmp_path: Path, runs: FakeRuns) -> None:
    first = sink_of(tmp_path, runs)
    for step in range(4):
        first.log_step(step, {"step_seconds": 1.0}, time_seconds=float(step))
    assert all(send_all(first))
    (tmp_path / "last_steps.json").unlink()  # killed before it was written: the spool knows too
    second = sink_of(tmp_path, runs)
    for step in range(2, 6):
        second.log_step(step, {"step_seconds": 9.0, "reward_mean": 0.5}, time_seconds=9.0 + step)
    assert all(send_all(second))
    curve = runs.curve("time/step_seconds")
    assert curve == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (4, 9.0), (5, 9.0)]
    assert [step for step, _ in runs.curve("reward/mean")] == [2, 3, 4, 5]


def test_a_batch_whose_answer_was_lost_is_sent_again_and_counts_once(
    tmp_path: Path, runs: FakeRuns
) -> None:
    sink = sink_of(tmp_path, runs)
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    batch = sink._spool.peek(9)
    sink.send(batch.records)  # delivered, and killed before the position was kept
    again = sink_of(tmp_path, runs)
    assert all(send_all(again))
    assert runs.calls == [1, 1]
    assert runs.curve("reward/mean") == [(0, 0.5)]


def test_a_run_whose_creation_was_not_answered_is_found_again(
    tmp_path: Path, runs: FakeRuns
) -> None:
    runs.lost_answers = 1
    sink = sink_of(tmp_path, runs)
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    assert list(send_all(sink)) == [False, True]
    assert len(runs.runs) == 2


def test_a_refused_step_is_dropped_and_counted_and_the_others_arrive(
    tmp_path: Path, runs: FakeRuns
) -> None:
    runs.refused = {"learner/penalty"}
    sink = sink_of(tmp_path, runs)
    for step in range(5):
        key = "penalty" if step == 2 else "reward_mean"
        sink.log_step(step, {key: 1.0}, time_seconds=1.0)
    assert all(send_all(sink))
    assert [step for step, _ in runs.curve("reward/mean")] == [0, 1, 3, 4]
    assert sink.dropped == 1


def test_a_run_that_mlflow_lost_is_made_anew(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    sink.set_tags({"a": "b"})
    assert all(send_all(sink))
    assert runs.named(JOB_RUN).tags == runs.named(ATTEMPT_RUN).tags == {"a": "b"}
    runs.wiped = True
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    assert list(send_all(sink)) == [False, True]
    assert runs.curve("reward/mean") == [(0, 0.5)]


def test_another_address_begins_another_run(tmp_path: Path, runs: FakeRuns) -> None:
    first = sink_of(tmp_path, runs)
    first.set_tags({"a": "b"})
    assert all(send_all(first))
    assert first.run_id
    other = MlflowSink(
        "http://other", experiment="vppo", run_name="demo", folder=tmp_path, spool_bytes=2**20
    )
    assert other.run_id == ""


def test_params_are_flat_short_and_without_secrets(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    spec = {"data": {"source": "https://me:pw@host/d", "shuffle": True}, "text": "x" * 900}
    sink.log_params(flatten({**spec, **{f"p{n}": n for n in range(150)}}))
    assert all(send_all(sink))
    params = runs.named(JOB_RUN).params
    assert params["data.source"] == "https://me:[redacted]@host/d"
    assert params["data.shuffle"] == "true"
    assert len(params["text"]) == 500
    assert len(params) == 153
    assert runs.named(ATTEMPT_RUN).params == params


def test_a_param_changed_on_resume_is_new_in_its_attempt_and_a_tag_of_the_job(
    tmp_path: Path, runs: FakeRuns
) -> None:
    first = sink_of(tmp_path, runs)
    first.log_params({"learner.numSteps": "10", "seed": "0"})
    second = sink_of(tmp_path, runs, attempt=2)
    second.log_params({"learner.numSteps": "20", "seed": "0", "new": "1"})
    assert all(send_all(second))
    job = runs.named(JOB_RUN)
    assert job.params == {"learner.numSteps": "10", "seed": "0", "new": "1"}
    assert job.tags == {"resumed.learner.numSteps": "20"}
    assert runs.named(ATTEMPT_RUN).params["learner.numSteps"] == "10"
    assert runs.named("demo attempt 2").params["learner.numSteps"] == "20"


def test_artifacts_tags_and_the_end_of_the_run_are_delivered_in_order(
    tmp_path: Path, runs: FakeRuns
) -> None:
    for name in ("report.html", "spec.yaml"):
        (tmp_path / name).write_text("<p>")
    sink = sink_of(tmp_path / "mlflow", runs)
    sink.log_artifact(tmp_path / "report.html", folder="reports")
    sink.log_artifact(tmp_path / "spec.yaml", of_attempt=True)
    sink.log_artifact(tmp_path / "gone.html")
    sink.start()
    assert sink.close("FINISHED", timeout_seconds=10.0)
    job, attempt = runs.named(JOB_RUN), runs.named(ATTEMPT_RUN)
    assert job.artifacts == [("report.html", "reports")]
    assert attempt.artifacts == [("spec.yaml", "")]
    assert job.statuses == attempt.statuses == ["RUNNING", "FINISHED"]
    assert sink.dropped == 1


def test_close_returns_when_mlflow_stays_away(tmp_path: Path, runs: FakeRuns) -> None:
    runs.away = True
    sink = sink_of(tmp_path, runs)
    sink.start()
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    assert not sink.close("FINISHED", timeout_seconds=0.0)
    runs.away = False
    later = sink_of(tmp_path, runs)
    assert all(send_all(later))
    assert runs.curve("reward/mean") == [(0, 0.5)]
    assert runs.named(JOB_RUN).statuses == ["RUNNING", "FINISHED"]


def test_a_damaged_record_is_refused(tmp_path: Path, runs: FakeRuns) -> None:
    with pytest.raises(RefusedError, match="damaged"):
        sink_of(tmp_path, runs).send([{}])


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, runs: FakeRuns) -> None:
    (tmp_path / "file").write_text("")
    sink = sink_of(tmp_path / "file" / "mlflow", runs)
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    assert sink.dropped >= 1


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
    for step in range(2, 6):
        second.log_step(step, {"reward_mean": 0.9}, time_seconds=2.0)
    assert all(send_all(second))
    assert runs.curve("reward/mean") == [(0, 0.1), (1, 0.1), (2, 0.1), (3, 0.1), (4, 0.9), (5, 0.9)]
    assert len(runs.runs) == 3


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
