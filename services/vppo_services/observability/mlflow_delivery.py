"""Brings spooled records to MLflow, in order; runs in the sender's thread.

Exactly once: a record keeps the time at which it was made, and MLflow drops what it has already
with the same key, step, time and value. Everything else that is sent may be sent twice.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, Protocol

from vppo_services.observability.mlflow_runs import JOB, JobRuns
from vppo_services.observability.sender import RefusedError
from vppo_services.observability.spool import Record

log = logging.getLogger(__name__)

STEP: Final = "metrics"
READING: Final = "readings"
_NUMBERS: Final = (STEP, READING)

_MAX_METRICS: Final = 1000  # MLflow's limits for one log-batch
_MAX_PARAMS: Final = 100
_REFUSALS: Final = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "INVALID_STATE")
_REFUSALS_OF_FILES: Final = (*_REFUSALS, "PERMISSION_DENIED", "FEATURE_DISABLED", "NOT_FOUND")
_FILES: Final = ("artifact", "model", "register")
_MAX_TRIES: Final = 20  # of a file, a few minutes: the store of artifacts may be away alone


class Runs(Protocol):
    """What is asked of MLflow; see `mlflow_client.MlflowRuns`."""

    def ensure_run(  # noqa: D102
        self, experiment: str, *, run_key: str, run_name: str, parent_id: str, start_ms: int
    ) -> str: ...
    def last_step(self, parent_id: str) -> int: ...  # noqa: D102
    def end_left(self, parent_id: str, *, but: str, time_ms: int) -> None: ...  # noqa: D102
    def log_metrics(  # noqa: D102
        self, run_id: str, metrics: Sequence[tuple[str, float, int, int]]
    ) -> None: ...
    def params(self, run_id: str) -> dict[str, str]: ...  # noqa: D102
    def log_params(self, run_id: str, params: Mapping[str, str]) -> None: ...  # noqa: D102
    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None: ...  # noqa: D102
    def log_artifact(self, run_id: str, path: Path, folder: str) -> None: ...  # noqa: D102
    def log_model(  # noqa: D102
        self, run_id: str, path: Path, folder: str, settings: Mapping[str, Any]
    ) -> None: ...
    def register(self, name: str, run_id: str, folder: str) -> None: ...  # noqa: D102
    def set_status(self, run_id: str, status: str, time_ms: int) -> None: ...  # noqa: D102


def connect(uri: str) -> Runs:
    """The real MLflow."""
    # Imported here, in the sender's thread: it takes seconds, and an MLflow that cannot be
    # imported must not stop a run either.
    from vppo_services.observability.mlflow_client import MlflowRuns

    return MlflowRuns(uri)


class Delivery:
    """Makes the runs when they are needed, and puts records into them."""

    def __init__(self, job_runs: JobRuns, connect: Callable[[str], Runs] = connect) -> None:
        """Nothing is connected yet."""
        self._job_runs = job_runs
        self._connect = connect
        self._runs: Runs | None = None
        self._tries = 0

    def send(self, records: list[Record]) -> int:
        """Deliver the records of one kind and run at the front of `records`; how many those are.

        Raises:
            RefusedError: MLflow will never take the first record.
            Exception: whatever MLflow raises while it is away.
        """
        first = records[0]
        run = str(first.get("run", JOB))
        try:
            runs = self._connected()
            done = self._deliver(runs, self._ensured(runs, run), records)
            self._tries = 0
            return done
        except RefusedError:
            raise
        except Exception as error:  # told apart by its code; what means "away" is raised on
            if not self._is_refusal(error, first, run):
                raise
            self._tries = 0
            if len(records) == 1 or first.get("kind") not in _NUMBERS:
                raise RefusedError(str(error)) from error
        return self.send(records[:1])  # one of many was refused: find out which

    def _is_refusal(self, error: Exception, record: Record, run: str) -> bool:
        code = str(getattr(error, "error_code", ""))
        run_id = self._job_runs.id_of(run)
        if not run_id:
            return False
        if record.get("kind") in _FILES:
            self._tries += 1
            if code in _REFUSALS_OF_FILES:
                return True
            return self._tries >= _MAX_TRIES and self._answers(run_id)
        if code == "RESOURCE_DOES_NOT_EXIST":
            log.warning("MLflow does not know run %s any more; new ones are made", run_id)
            self._job_runs.forget()
        return code in _REFUSALS

    def _answers(self, run_id: str) -> bool:
        try:
            self._connected().params(run_id)
        except Exception:  # whatever it is, MLflow is away
            return False
        return True

    def _connected(self) -> Runs:
        if self._runs is None:
            self._runs = self._connect(self._job_runs.uri)
        return self._runs

    def _ensured(self, runs: Runs, run: str) -> str:
        job_runs = self._job_runs
        run_id = job_runs.id_of(run)
        if run_id:
            return run_id
        parent_id = "" if run == JOB else self._ensured(runs, JOB)
        run_id = runs.ensure_run(
            job_runs.experiment,
            run_key=job_runs.key_of(run),
            run_name=job_runs.name_of(run),
            parent_id=parent_id,
            start_ms=job_runs.started_ms(run),
        )
        if run == JOB and job_runs.floor is None:
            job_runs.set_floor(runs.last_step(run_id))
        job_runs.learn(run, run_id)
        return run_id

    def _deliver(self, runs: Runs, run_id: str, records: list[Record]) -> int:
        first = records[0]
        kind = first.get("kind")
        if kind in _NUMBERS:
            return self._send_numbers(runs, run_id, records)
        if kind == "params":
            _send_params(runs, run_id, first["params"])
        elif kind == "tags":
            runs.set_tags(run_id, first["tags"])
        elif kind == "status":
            runs.set_status(run_id, first["status"], first["time"])
        elif kind == "left":
            keep = self._job_runs.key_of(first["but"])
            runs.end_left(run_id, but=keep, time_ms=first["time"])
        elif kind == "register":
            runs.register(first["name"], run_id, first["folder"])
        elif kind in _FILES:
            _send_files(runs, run_id, first)
        else:
            raise RefusedError("the record is damaged on disk")
        return 1

    def _send_numbers(self, runs: Runs, run_id: str, records: list[Record]) -> int:
        run = records[0].get("run", JOB)
        floor = -1 if self._job_runs.floor is None else self._job_runs.floor
        metrics: list[tuple[str, float, int, int]] = []
        count = 0
        for record in takewhile(
            lambda r: r.get("kind") in _NUMBERS and r.get("run", JOB) == run, records
        ):
            if count and len(metrics) + len(record["values"]) > _MAX_METRICS:
                break
            count += 1
            if record["kind"] == STEP and record["step"] <= floor:
                continue  # an earlier folder, which is lost, delivered this step
            for key, value in record["values"].items():
                metrics.append((key, value, record["time"], record["step"]))
        if metrics:
            runs.log_metrics(run_id, metrics)
        return count


def _send_params(runs: Runs, run_id: str, params: dict[str, str]) -> None:
    known = runs.params(run_id)
    new = [(name, value) for name, value in params.items() if name not in known]
    for start in range(0, len(new), _MAX_PARAMS):
        runs.log_params(run_id, dict(new[start : start + _MAX_PARAMS]))
    changed = {f"resumed.{k}": v for k, v in params.items() if k in known and known[k] != v}
    if changed:
        runs.set_tags(run_id, changed)


def _send_files(runs: Runs, run_id: str, record: Record) -> None:
    path = Path(record["path"])
    if not path.exists():
        raise RefusedError(f"'{path}' is gone, and was not copied to MLflow")
    if record["kind"] == "model":
        runs.log_model(run_id, path, record["folder"], record["settings"])
    else:
        runs.log_artifact(run_id, path, record["folder"])
