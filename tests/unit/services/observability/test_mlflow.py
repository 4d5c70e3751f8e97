from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from vppo_services.observability.mlflow import MlflowSink, flatten
from vppo_services.observability.sender import RefusedError


class FakeMlflowError(Exception):
    def __init__(self, error_code: str) -> None:
        super().__init__(error_code)
        self.error_code = error_code


class FakeRuns:
    """An MLflow that keeps runs in memory, drops equal metrics as the real one does, and fails
    when it is told to: `away` for everything, `refused` for metrics of these keys."""

    def __init__(self) -> None:
        self.away = False
        self.refused: set[str] = set()
        self.runs: dict[str, str] = {}
        self.metrics: list[tuple[str, float, int, int]] = []
        self.calls: list[int] = []
        self.known_params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.artifacts: list[tuple[str, str]] = []
        self.status = ""
        self.lost_answers = 0
        self.wiped = False

    def connect(self, uri: str) -> "FakeRuns":
        assert uri == "http://mlflow"
        return self

    def _answer(self, run_id: str = "") -> None:
        if self.away:
            raise ConnectionError("no route")
        assert not run_id or run_id in self.runs.values()

    def ensure_run(self, experiment: str, *, run_key: str, run_name: str) -> str:
        self._answer()
        assert (experiment, run_name) == ("vppo", "demo")
        run_id = self.runs.setdefault(run_key, f"run-{len(self.runs)}")
        if self.lost_answers:
            self.lost_answers -= 1
            raise TimeoutError("made, and the answer was lost")
        return run_id

    def log_metrics(self, run_id: str, metrics: Sequence[tuple[str, float, int, int]]) -> None:
        self._answer(run_id)
        if self.wiped:
            self.wiped = False
            self.runs.clear()
            raise FakeMlflowError("RESOURCE_DOES_NOT_EXIST")
        if self.refused & {key for key, *_ in metrics}:
            raise FakeMlflowError("INVALID_PARAMETER_VALUE")
        self.calls.append(len(metrics))
        self.metrics += [metric for metric in metrics if metric not in self.metrics]

    def params(self, run_id: str) -> dict[str, str]:
        self._answer(run_id)
        return dict(self.known_params)

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        self._answer(run_id)
        assert len(params) <= 100
        assert not set(params) & set(self.known_params)
        self.known_params.update(params)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._answer(run_id)
        self.tags.update(tags)

    def log_artifact(self, run_id: str, path: Path, folder: str) -> None:
        self._answer(run_id)
        self.artifacts.append((path.name, folder))

    def set_status(self, run_id: str, status: str, time_ms: int) -> None:
        self._answer(run_id)
        assert time_ms > 0
        self.status = status

    def curve(self, key: str) -> list[tuple[int, float]]:
        return [(step, value) for name, value, _, step in self.metrics if name == key]


@pytest.fixture
def runs() -> FakeRuns:
    return FakeRuns()


def sink_of(folder: Path, runs: FakeRuns) -> MlflowSink:
    """A sink whose thread is never started: tests send by hand."""
    return MlflowSink(
        "http://mlflow",
        experiment="vppo",
        run_name="demo",
        folder=folder,
        spool_bytes=2**20,
        connect=runs.connect,
    )


def send_all(sink: MlflowSink) -> Iterator[bool]:
    while sink.pending:
        yield sink._sender.pump()


def test_steps_arrive_under_their_catalogue_keys(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    sink.log_step(0, {"reward_mean": 0.5, "stage_seconds{sample}": 2.0}, time_seconds=10.0)
    assert all(send_all(sink))
    assert runs.metrics == [
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
    assert list(runs.runs.values()) == ["run-0"] == [second.run_id]
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
    assert len(runs.runs) == 1


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
    runs.wiped = True
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    assert list(send_all(sink)) == [False, True]
    assert runs.curve("reward/mean") == [(0, 0.5)]


def test_another_address_begins_another_run(tmp_path: Path, runs: FakeRuns) -> None:
    sink_of(tmp_path, runs)._run()
    other = MlflowSink(
        "http://other", experiment="vppo", run_name="demo", folder=tmp_path, spool_bytes=2**20
    )
    assert other.run_id == ""


def test_params_are_flat_short_and_without_secrets(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    spec = {"data": {"source": "https://me:pw@host/d", "shuffle": True}, "text": "x" * 900}
    sink.log_params(flatten({**spec, **{f"p{n}": n for n in range(150)}}))
    assert all(send_all(sink))
    assert runs.known_params["data.source"] == "https://me:[redacted]@host/d"
    assert runs.known_params["data.shuffle"] == "true"
    assert len(runs.known_params["text"]) == 500
    assert len(runs.known_params) == 153


def test_a_param_changed_on_resume_becomes_a_tag(tmp_path: Path, runs: FakeRuns) -> None:
    sink = sink_of(tmp_path, runs)
    sink.log_params({"learner.numSteps": "10", "seed": "0"})
    sink.log_params({"learner.numSteps": "20", "seed": "0", "new": "1"})
    assert all(send_all(sink))
    assert runs.known_params == {"learner.numSteps": "10", "seed": "0", "new": "1"}
    assert runs.tags == {"resumed.learner.numSteps": "20"}


def test_artifacts_tags_and_the_end_of_the_run_are_delivered_in_order(
    tmp_path: Path, runs: FakeRuns
) -> None:
    (tmp_path / "report.html").write_text("<p>")
    sink = sink_of(tmp_path / "mlflow", runs)
    sink.log_artifact(tmp_path / "report.html", folder="reports")
    sink.log_artifact(tmp_path / "gone.html")
    sink.start()
    assert sink.close("FINISHED", timeout_seconds=10.0)
    assert runs.artifacts == [("report.html", "reports")]
    assert runs.status == "FINISHED"
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
    assert runs.status == "FINISHED"


def test_a_damaged_record_is_refused(tmp_path: Path, runs: FakeRuns) -> None:
    with pytest.raises(RefusedError, match="damaged"):
        sink_of(tmp_path, runs).send([{}])


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, runs: FakeRuns) -> None:
    (tmp_path / "file").write_text("")
    sink = sink_of(tmp_path / "file" / "mlflow", runs)
    sink.log_step(0, {"reward_mean": 0.5}, time_seconds=1.0)
    assert sink.dropped >= 1
