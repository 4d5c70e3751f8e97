"""An MLflow in memory, which fails when it is told to."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vppo_services.observability.mlflow import MlflowSink

JOB_RUN, ATTEMPT_RUN = "demo", "demo attempt 1"


class FakeMlflowError(Exception):
    def __init__(self, error_code: str) -> None:
        super().__init__(error_code)
        self.error_code = error_code


class FakeRun:
    def __init__(self, run_id: str, name: str, parent_id: str) -> None:
        self.id, self.name, self.parent_id = run_id, name, parent_id
        self.metrics: list[tuple[str, float, int, int]] = []
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.artifacts: list[tuple[str, str]] = []
        self.statuses: list[str] = []


class FakeRuns:
    """Drops equal metrics as the real one does. `away` for everything, `refused` for metrics of
    these keys, `broken` for calls of these names."""

    def __init__(self) -> None:
        self.away = False
        self.wiped = False
        self.refused: set[str] = set()
        self.broken: dict[str, Exception] = {}
        self.runs: dict[str, FakeRun] = {}
        self.made = 0
        self.calls: list[int] = []
        self.versions: list[tuple[str, str]] = []
        self.lost_answers = 0
        self.starts: dict[str, int] = {}

    def connect(self, uri: str) -> "FakeRuns":
        assert uri == "http://mlflow"
        return self

    def named(self, name: str) -> FakeRun:
        (found,) = (run for run in self.runs.values() if run.name == name)
        return found

    def curve(self, key: str) -> list[tuple[int, float]]:
        """All points of all runs."""
        points = [point for run in self.runs.values() for point in run.metrics]
        return [(step, value) for name, value, _, step in points if name == key]

    def ensure_run(
        self, experiment: str, *, run_key: str, run_name: str, parent_id: str, start_ms: int
    ) -> str:
        self._answer("ensure_run")
        self.starts[run_name] = start_ms
        assert experiment == "vppo"
        assert not parent_id or parent_id in {run.id for run in self.runs.values()}
        if run_key not in self.runs:
            self.runs[run_key] = FakeRun(f"run-{self.made}", run_name, parent_id)
            self.made += 1
        if self.lost_answers:
            self.lost_answers -= 1
            raise TimeoutError("made, and the answer was lost")
        return self.runs[run_key].id

    def last_step(self, parent_id: str) -> int:
        self._answer("last_step")
        below = [run for run in self.runs.values() if run.parent_id == parent_id]
        steps = [step for run in below for key, _, _, step in run.metrics if "system" not in key]
        return max(steps, default=-1)

    def end_left(self, parent_id: str, *, but: str, time_ms: int) -> None:
        self._answer("end_left")
        assert time_ms > 0
        for key, run in self.runs.items():
            is_left = run.statuses and run.statuses[-1] == "RUNNING" and key != but
            if run.parent_id == parent_id and is_left:
                run.statuses.append("KILLED")

    def log_metrics(self, run_id: str, metrics: Sequence[tuple[str, float, int, int]]) -> None:
        run = self._run(run_id, "log_metrics")
        if self.wiped:
            self.wiped = False
            self.runs.clear()
            raise FakeMlflowError("RESOURCE_DOES_NOT_EXIST")
        if self.refused & {key for key, *_ in metrics}:
            raise FakeMlflowError("INVALID_PARAMETER_VALUE")
        self.calls.append(len(metrics))
        run.metrics += [metric for metric in metrics if metric not in run.metrics]

    def params(self, run_id: str) -> dict[str, str]:
        return dict(self._run(run_id, "params").params)

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        run = self._run(run_id, "log_params")
        assert len(params) <= 100
        assert not set(params) & set(run.params)
        run.params.update(params)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._run(run_id, "set_tags").tags.update(tags)

    def log_artifact(self, run_id: str, path: Path, folder: str) -> None:
        self._run(run_id, "log_artifact").artifacts.append((path.name, folder))

    def log_model(self, run_id: str, path: Path, folder: str, settings: Mapping[str, Any]) -> None:
        assert settings
        self._run(run_id, "log_model").artifacts.append((path.name, folder))

    def register(self, name: str, run_id: str, folder: str) -> None:
        self._run(run_id, "register")
        self.versions.append((name, folder))

    def set_status(self, run_id: str, status: str, time_ms: int) -> None:
        assert time_ms > 0
        self._run(run_id, "set_status").statuses.append(status)

    def _run(self, run_id: str, call: str) -> FakeRun:
        self._answer(call)
        (found,) = (run for run in self.runs.values() if run.id == run_id)
        return found

    def _answer(self, call: str) -> None:
        if self.away:
            raise ConnectionError("no route")
        if call in self.broken:
            raise self.broken[call]


def sink_of(folder: Path, runs: FakeRuns, **options: Any) -> MlflowSink:
    """A sink whose thread is never started: tests send by hand."""
    given = {"experiment": "vppo", "run_name": "demo", "spool_bytes": 2**20, **options}
    return MlflowSink("http://mlflow", folder=folder, connect=runs.connect, **given)


def send_all(sink: MlflowSink) -> Iterator[bool]:
    while sink.pending:
        yield sink._sender.pump()
