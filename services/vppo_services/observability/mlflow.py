"""MLflow sink: everything goes to a spool on disk first, and from there whenever MLflow is up.

A job is one run, each of its attempts a run nested below. A step's metrics are in the run of the
attempt that trained it first: a step that was trained again after a crash is not logged again. The
job's run has parameters, tags, artifacts, the model, and how the job did in the end.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from vppo_core.catalogue import mlflow_name
from vppo_core.redact import redact
from vppo_core.runs.writing import write_atomically
from vppo_services.observability.mlflow_delivery import READING, STEP, Delivery, Runs, connect
from vppo_services.observability.mlflow_runs import JOB, JobRuns
from vppo_services.observability.sender import Sender
from vppo_services.observability.spool import Record, Spool

log = logging.getLogger(__name__)

SYSTEM: Final = "system/"
"""Before the names of readings of the machine: MLflow's page has a tab for them."""

SUMMARY: Final = "summary/"
_MAX_VALUE: Final = 500  # characters of a parameter or tag


class MlflowSink:
    """Reports of one attempt. No method raises for want of MLflow, none waits for it but `close`.

    Example:
        sink = MlflowSink(uri, experiment="vppo", run_name="demo", folder=run / "mlflow", attempt=2)
        sink.start()
        sink.log_step(7, {"reward_mean": 0.5}, time_seconds=time.time())
        sink.close("FINISHED")
    """

    def __init__(
        self,
        uri: str,
        *,
        experiment: str,
        run_name: str,
        folder: Path,
        spool_bytes: int,
        attempt: int = 1,
        uid: str = "",
        connect: Callable[[str], Runs] = connect,
    ) -> None:
        """Take up the runs of `folder`, or begin them; nothing is sent before `start`.

        Args:
            run_name: name of the job.
            folder: keeps the runs' identity and the spool across restarts.
            spool_bytes: room for records that wait; older ones are dropped and counted.
            uid: of the job, by which its runs are found should the folder be lost; may be empty.
        """
        self._folder = folder
        self._attempt = str(attempt)
        self._job_runs = JobRuns(
            folder / "run.json", uri=uri, experiment=experiment, job=run_name, uid=uid
        )
        self._spool = Spool(
            folder / "spool", max_bytes=spool_bytes, before_segment=self._save_last_steps
        )
        self._lock = threading.Lock()
        self._last_steps = self._load_last_steps()
        """Of each metric, the step that was logged last."""

        self.send = Delivery(self._job_runs, connect).send
        self._sender = Sender(self._spool, self.send, name="MLflow")
        self._has_warned = False

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
        """Id of the attempt's run, empty until MLflow gave one."""
        return self._job_runs.id_of(self._attempt)

    @property
    def job_run_id(self) -> str:
        """Id of the job's run, empty until MLflow gave one."""
        return self._job_runs.id_of(JOB)

    @property
    def is_new(self) -> bool:
        """Whether the folder knew nothing of this job in this MLflow."""
        return self._job_runs.is_new

    def start(self) -> None:
        """Begin to deliver, and end the attempts that were killed before."""
        if self.is_new and self._attempt != "1":  # those of a lost folder, MLflow alone knows
            now = _milliseconds(time.time())
            self._append({"kind": "left", "run": JOB, "but": self._attempt, "time": now})
        for earlier in self._job_runs.begin(self._attempt, _milliseconds(time.time())):
            self._say_status("KILLED", earlier)
        for run in (JOB, self._attempt):
            self._say_status("RUNNING", run)
        self._sender.start()

    def log_step(self, step: int, values: Mapping[str, float], *, time_seconds: float) -> None:
        """Log finite values by catalogue reference; a value of a step logged before is left out."""
        named = {mlflow_name(reference): value for reference, value in values.items()}
        with self._lock:
            new = {key: v for key, v in named.items() if step > self._last_steps.get(key, -1)}
            self._log_numbers(STEP, self._attempt, step, new, time_seconds)

    def log_readings(self, values: Mapping[str, float], *, time_seconds: float) -> None:
        """Log readings of the machine, such as `cpu_utilization_percentage`, as the next ones."""
        named = {SYSTEM + name: value for name, value in values.items()}
        with self._lock:
            step = 1 + max((self._last_steps.get(key, -1) for key in named), default=-1)
            self._log_numbers(READING, self._attempt, step, named, time_seconds)

    def log_summary(self, step: int, values: Mapping[str, float], *, time_seconds: float) -> None:
        """Log how the job did, in its own run; after more steps a later call adds to it."""
        named = {SUMMARY + name: value for name, value in values.items()}
        with self._lock:
            self._log_numbers(READING, JOB, step, named, time_seconds)

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log parameters; in a run that has one with another value it is a tag `resumed.NAME`."""
        short = {name: redact(value)[:_MAX_VALUE] for name, value in params.items()}
        for run in (JOB, self._attempt):
            self._append({"kind": "params", "run": run, "params": short})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of both runs, replacing those of the same name."""
        short = {name: redact(value)[:_MAX_VALUE] for name, value in tags.items()}
        for run in (JOB, self._attempt):
            self._append({"kind": "tags", "run": run, "tags": short})

    def log_artifact(self, path: Path, *, folder: str = "", of_attempt: bool = False) -> None:
        """Copy a file or folder to a run; it is read when its turn comes, and must stay."""
        run = self._attempt if of_attempt else JOB
        self._append(
            {"kind": "artifact", "run": run, "path": str(path.absolute()), "folder": folder}
        )

    def log_model(self, path: Path, *, name: str, step: int, settings: Mapping[str, Any]) -> None:
        """Copy a Hugging Face folder to the job's run as a model, and register it.

        Args:
            path: of the folder; it must stay.
            name: of the registered model.
            step: of the weights; another step makes another version.
            settings: what `mlflow_model.write_model` is told.
        """
        folder = f"models/step-{step:06d}"
        path = path.absolute()
        self._append(
            {
                "kind": "model",
                "run": JOB,
                "path": str(path),
                "folder": folder,
                "settings": dict(settings),
            }
        )
        self._append({"kind": "register", "run": JOB, "name": name, "folder": folder})

    def close(
        self, status: str = "FINISHED", *, timeout_seconds: float = 60.0, busy_seconds: float = 0.0
    ) -> bool:
        """Log the end, wait for the delivery at most so long; False when records still wait.

        What waits stays in the run's folder, and goes out when the run is resumed.

        Args:
            busy_seconds: instead of `timeout_seconds` while MLflow takes all that it is sent.
        """
        for run in (self._attempt, JOB):
            self._say_status(status, run)
        self._job_runs.end(self._attempt)
        return self._finish(timeout_seconds, busy_seconds)

    def replay(self, timeout_seconds: float) -> bool:
        """Deliver what an earlier process left, and nothing else; False when records still wait."""
        self._sender.start()
        return self._finish(timeout_seconds, timeout_seconds)

    def _finish(self, timeout_seconds: float, busy_seconds: float) -> bool:
        delivered = self._sender.flush(timeout_seconds, busy_seconds=busy_seconds)
        self._sender.close()
        self._spool.close()
        if not delivered:
            log.warning(
                "%d records still wait for MLflow in %s; a resumed run delivers them, or "
                "`python -m vppo_services.driver.replay %s`",
                self._spool.pending,
                self._folder,
                self._folder.parent,
            )
        if self._spool.dropped:
            log.warning("%d records for MLflow were lost in all", self._spool.dropped)
        return delivered

    def _say_status(self, status: str, run: str) -> None:
        now = _milliseconds(time.time())
        self._append({"kind": "status", "run": run, "status": status, "time": now})

    def _log_numbers(
        self, kind: str, run: str, step: int, values: dict[str, float], time_seconds: float
    ) -> None:
        if not values:
            return
        record = {"kind": kind, "run": run, "step": step, "time": _milliseconds(time_seconds)}
        self._append({**record, "values": values})
        self._last_steps.update(dict.fromkeys(values, step))

    def _append(self, record: Record) -> None:
        lost = self._spool.dropped
        self._spool.append(record)
        if self._spool.dropped > lost and not self._has_warned:
            self._has_warned = True
            log.warning(
                "a record for MLflow was lost, and maybe more will be: %s is full, cannot be "
                "written, or holds more than tracking.spoolMib; training goes on",
                self._folder,
            )
        self._sender.wake()

    def _save_last_steps(self) -> None:
        """Keep what segments tell that may go; the newest one is read again after a restart."""
        steps = self._last_steps.copy()  # another thread may log meanwhile
        with suppress(OSError):
            write_atomically(self._folder / "last_steps.json", json.dumps(steps))

    def _load_last_steps(self) -> dict[str, int]:
        last: dict[str, int] = {}
        with suppress(OSError, ValueError):
            last = json.loads((self._folder / "last_steps.json").read_text(encoding="utf-8"))
        for record in self._spool.retained():
            if record.get("kind") in (STEP, READING):
                for key in record["values"]:
                    last[key] = max(last.get(key, -1), record["step"])
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


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000.0)
