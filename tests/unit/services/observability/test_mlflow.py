from pathlib import Path

import pytest

from tests.unit.services.observability.fake_mlflow import (
    ATTEMPT_RUN,
    JOB_RUN,
    FakeRuns,
    send_all,
    sink_of,
)
from vppo_services.observability.mlflow import MlflowSink, flatten
from vppo_services.observability.sender import RefusedError


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
    assert not (tmp_path / "last_steps.json").exists()  # the spool's only segment tells it
    second = sink_of(tmp_path, runs)
    for step in range(2, 6):
        second.log_step(step, {"step_seconds": 9.0, "reward_mean": 0.5}, time_seconds=9.0 + step)
    assert all(send_all(second))
    curve = runs.curve("time/step_seconds")
    assert curve == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (4, 9.0), (5, 9.0)]
    assert [step for step, _ in runs.curve("reward/mean")] == [2, 3, 4, 5]


def test_what_was_logged_long_ago_is_not_logged_again(tmp_path: Path, runs: FakeRuns) -> None:
    first = sink_of(tmp_path, runs, spool_bytes=2**16)
    first.log_step(0, {"evaluation_accuracy": 0.5}, time_seconds=0.0)
    filler = {f"stage_seconds{{s{n}}}": 1.0 for n in range(20)}
    for step in range(1, 40):
        first.log_step(step, filler, time_seconds=float(step))
        assert all(send_all(first))
    [segment] = (tmp_path / "spool").glob("*.jsonl")
    assert "evaluation" not in segment.read_text()  # its segment went when it was delivered
    second = sink_of(tmp_path, runs, spool_bytes=2**16)  # the first was killed
    for step in (0, 41):
        second.log_step(step, {"evaluation_accuracy": 0.9}, time_seconds=99.0)
    assert all(send_all(second))
    assert runs.curve("evaluation/accuracy") == [(0, 0.5), (41, 0.9)]


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
