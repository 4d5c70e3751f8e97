"""MLflow sink: everything goes to a spool on disk first, and from there whenever MLflow is up.

Exactly once: a record keeps the time at which it was made, and MLflow drops what it has already
with the same key, step, time and value; a step that was trained again after a crash is not logged
again. The run is found by a key that is on disk before the run is created.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, Protocol

from vppo_core.catalogue import mlflow_name
from vppo_core.redact import redact
from vppo_core.runs.writing import write_atomically
from vppo_services.observability.sender import RefusedError, Sender
from vppo_services.observability.spool import Record, Spool

log = logging.getLogger(__name__)

_MAX_METRICS: Final = 1000  # MLflow's limits for one log-batch
_MAX_PARAMS: Final = 100
_MAX_VALUE: Final = 500  # characters of a parameter or tag
_REFUSALS: Final = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "INVALID_STATE")


class Runs(Protocol):
    """What the sink asks of MLflow; see `mlflow_client.MlflowRuns`."""

    def ensure_run(self, experiment: str, *, run_key: str, run_name: str) -> str: ...  # noqa: D102
    def log_metrics(  # noqa: D102
        self, run_id: str, metrics: Sequence[tuple[str, float, int, int]]
    ) -> None: ...
    def params(self, run_id: str) -> dict[str, str]: ...  # noqa: D102
    def log_params(self, run_id: str, params: Mapping[str, str]) -> None: ...  # noqa: D102
    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None: ...  # noqa: D102
    def log_artifact(self, run_id: str, path: Path, folder: str) -> None: ...  # noqa: D102
    def set_status(self, run_id: str, status: str, time_ms: int) -> None: ...  # noqa: D102


def connect(uri: str) -> Runs:
    """The real MLflow."""
    # Imported here, in the sender's thread: it takes seconds, and an MLflow that cannot be
    # imported must not stop a run either.
    from vppo_services.observability.mlflow_client import MlflowRuns

    return MlflowRuns(uri)


class MlflowSink:
    """One run in MLflow. No method raises for want of MLflow, and none waits for it but `close`."""

    def __init__(
        self,
        uri: str,
        *,
        experiment: str,
        run_name: str,
        folder: Path,
        spool_bytes: int,
        connect: Callable[[str], Runs] = connect,
    ) -> None:
        """Take up the run of `folder`, or begin one; nothing is sent before `start`.

        Args:
            folder: keeps the run's identity and the spool across restarts.
            spool_bytes: room for records that wait; older ones are dropped and counted.
        """
        self._uri, self._experiment, self._run_name = uri, experiment, run_name
        self._folder = folder
        self._connect = connect
        self._runs: Runs | None = None
        self._state = self._load_state()
        self._spool = Spool(folder / "spool", max_bytes=spool_bytes)
        self._last_steps = self._load_last_steps()
        self._sender = Sender(self._spool, self.send, name="MLflow")

    @property
    def pending(self) -> int:
        """Records that wait for MLflow."""
        return self._spool.pending

    @property
    def dropped(self) -> int:
        """Records lost since this process began."""
        return self._spool.dropped

    @property
    def run_id(self) -> str:
        """Id of the run, empty until MLflow gave one."""
        return self._state["runId"]

    def start(self) -> None:
        """Begin to deliver."""
        self._append({"kind": "status", "status": "RUNNING", "time": _milliseconds(time.time())})
        self._sender.start()

    def log_step(self, step: int, values: Mapping[str, float], *, time_seconds: float) -> None:
        """Log finite values by catalogue reference; a value of a step logged before is left out."""
        new = {ref: value for ref, value in values.items() if step > self._last_steps.get(ref, -1)}
        if not new:
            return
        self._append(
            {"kind": "metrics", "step": step, "time": _milliseconds(time_seconds), "values": new}
        )
        self._last_steps.update(dict.fromkeys(new, step))
        with suppress(OSError):  # the spool's newest segment tells the same after a restart
            write_atomically(self._folder / "last_steps.json", json.dumps(self._last_steps))

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log parameters; on a resumed run, one with another value becomes a tag `resumed.NAME`."""
        short = {name: redact(value)[:_MAX_VALUE] for name, value in params.items()}
        self._append({"kind": "params", "params": short})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, replacing those of the same name."""
        self._append({"kind": "tags", "tags": {k: redact(v)[:_MAX_VALUE] for k, v in tags.items()}})

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Copy a file or folder to the run; it is read when its turn comes, and must stay."""
        self._append({"kind": "artifact", "path": str(path.absolute()), "folder": folder})

    def close(self, status: str = "FINISHED", *, timeout_seconds: float = 60.0) -> bool:
        """Log the end, wait for the delivery at most so long; False when records still wait.

        What waits stays in the run's folder, and goes out when the run is resumed.
        """
        self._append({"kind": "status", "status": status, "time": _milliseconds(time.time())})
        delivered = self._sender.flush(timeout_seconds)
        self._sender.close()
        self._spool.close()
        if not delivered:
            log.warning(
                "%d records still wait for MLflow in %s; a resumed run delivers them",
                self._spool.pending,
                self._folder,
            )
        return delivered

    def send(self, records: list[Record]) -> int:
        """Deliver the records of one kind at the front of `records`; how many those are.

        Raises:
            RefusedError: MLflow will never take the first record.
            Exception: whatever MLflow raises while it is away.
        """
        try:
            runs, run_id = self._run()
            return self._deliver(runs, run_id, records)
        except Exception as error:  # told apart by its code; what means "away" is raised on
            if not self._is_refusal(error):
                raise
            if len(records) == 1 or records[0].get("kind") != "metrics":
                raise RefusedError(str(error)) from error
        return self.send(records[:1])  # one of many was refused: find out which

    def _is_refusal(self, error: Exception) -> bool:
        code = str(getattr(error, "error_code", ""))
        if code == "RESOURCE_DOES_NOT_EXIST" and self.run_id:
            log.warning("MLflow does not know run %s any more; a new one is made", self.run_id)
            self._save_state({**self._state, "runId": ""})
        return code in _REFUSALS and bool(self.run_id)

    def _run(self) -> tuple[Runs, str]:
        if self._runs is None:
            self._runs = self._connect(self._uri)
        if not self.run_id:
            run_id = self._runs.ensure_run(
                self._experiment, run_key=self._state["runKey"], run_name=self._run_name
            )
            self._save_state({**self._state, "runId": run_id})
        return self._runs, self.run_id

    def _deliver(self, runs: Runs, run_id: str, records: list[Record]) -> int:
        first = records[0]
        kind = first.get("kind")
        if kind == "metrics":
            return _send_metrics(runs, run_id, records)
        if kind == "params":
            _send_params(runs, run_id, first["params"])
        elif kind == "tags":
            runs.set_tags(run_id, first["tags"])
        elif kind == "artifact":
            path = Path(first["path"])
            if not path.exists():
                raise RefusedError(f"the artifact {path} is gone")
            runs.log_artifact(run_id, path, first["folder"])
        elif kind == "status":
            runs.set_status(run_id, first["status"], first["time"])
        else:
            raise RefusedError("the record is damaged on disk")
        return 1

    def _append(self, record: Record) -> None:
        self._spool.append(record)
        self._sender.wake()

    def _load_state(self) -> dict[str, str]:
        path = self._folder / "run.json"
        with suppress(OSError, ValueError):
            state: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
            if state["uri"] == self._uri:
                return state
        state = {"uri": self._uri, "runKey": uuid.uuid4().hex, "runId": ""}
        self._save_state(state)
        return state

    def _save_state(self, state: dict[str, str]) -> None:
        self._state = state
        with suppress(OSError):  # disk full: a restart would make a second run, no worse
            write_atomically(self._folder / "run.json", json.dumps(state))

    def _load_last_steps(self) -> dict[str, int]:
        last: dict[str, int] = {}
        with suppress(OSError, ValueError):
            last = json.loads((self._folder / "last_steps.json").read_text(encoding="utf-8"))
        for record in self._spool.retained():
            if record.get("kind") == "metrics":
                for reference in record["values"]:
                    last[reference] = max(last.get(reference, -1), record["step"])
        return last


def flatten(spec: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted names and texts of a nested spec: `{"data": {"shuffle": True}}` is `data.shuffle`."""
    flat: dict[str, str] = {}
    for name, value in spec.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _send_metrics(runs: Runs, run_id: str, records: list[Record]) -> int:
    metrics: list[tuple[str, float, int, int]] = []
    count = 0
    for record in takewhile(lambda r: r.get("kind") == "metrics", records):
        if count and len(metrics) + len(record["values"]) > _MAX_METRICS:
            break
        count += 1
        for reference, value in record["values"].items():
            metrics.append((mlflow_name(reference), value, record["time"], record["step"]))
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


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000.0)
