"""The one object through which a run reports: metrics file, Prometheus and MLflow."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from vppo_core.catalogue import labelled
from vppo_core.runs.writing import append_line, write_atomically
from vppo_core.spec.tracking import TrackingSpec
from vppo_services.observability.mlflow import MlflowSink, Runs, connect, flatten
from vppo_services.observability.prometheus import PrometheusSink
from vppo_services.observability.record import StepRecord, cut_steps

log = logging.getLogger(__name__)

METRICS_FILE = "metrics.jsonl"
ENDPOINT_FILE = "metrics.json"


class Tracker:
    """Fans out what a run reports. Nothing here waits for a tracker or raises because of one."""

    def __init__(
        self,
        run_folder: Path,
        *,
        prometheus: PrometheusSink | None,
        mlflow: MlflowSink | None,
        resumed_step: int = -1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Report into `run_folder` and the sinks given.

        Args:
            resumed_step: lines of `metrics.jsonl` above this step are cut; -1 begins a new file.
            clock: seconds since the epoch.
        """
        self._path = run_folder / METRICS_FILE
        self._prometheus = prometheus
        self._mlflow = mlflow
        self._clock = clock
        self._lock = threading.Lock()
        self._lost_lines = 0
        self._reported_lost = {"file": 0, "mlflow": 0}
        run_folder.mkdir(parents=True, exist_ok=True)
        try:
            cut_steps(self._path, last_step=resumed_step)
        except OSError as error:
            log.warning("%s could not be cut to step %d: %s", self._path, resumed_step, error)

    @classmethod
    def open(
        cls,
        run_folder: Path,
        tracking: TrackingSpec,
        *,
        job: str,
        resumed_step: int = -1,
        host: str = "127.0.0.1",
        connect: Callable[[str], Runs] = connect,
    ) -> Self:
        """A tracker as the spec asks; starts `/metrics` and the delivery to MLflow.

        Args:
            run_folder: folder of the run; it outlives the process.
            job: name of the run in MLflow.
            resumed_step: step of the checkpoint that the run goes on from; -1 for a new run.
            host: address that `/metrics` listens on.
            connect: makes the connection to MLflow, in the background.
        """
        mlflow = MlflowSink(
            tracking.mlflow_uri or default_store(run_folder),
            experiment=tracking.experiment,
            run_name=job,
            folder=run_folder / "mlflow",
            spool_bytes=tracking.spool_mib * 2**20,
            connect=connect,
        )
        prometheus = _serve(tracking.metrics_port, host)
        tracker = cls(run_folder, prometheus=prometheus, mlflow=mlflow, resumed_step=resumed_step)
        mlflow.start()
        if prometheus is not None:
            endpoint = {"host": prometheus.host, "port": prometheus.port, "url": prometheus.url}
            try:
                write_atomically(run_folder / ENDPOINT_FILE, json.dumps(endpoint, indent=2) + "\n")
            except OSError as error:
                log.warning("the address of /metrics could not be written: %s", error)
        return tracker

    @property
    def metrics_url(self) -> str:
        """Address of `/metrics`, empty where it could not be served."""
        return self._prometheus.url if self._prometheus is not None else ""

    @property
    def mlflow_run_id(self) -> str:
        """Id of the MLflow run, empty until MLflow gave one."""
        return self._mlflow.run_id if self._mlflow is not None else ""

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Report values of a step; several calls for one step add up.

        Args:
            values: by catalogue reference, such as `reward_mean` or `stage_seconds{sample}`; of a
                counter, what was added in this step.

        Raises:
            LookupError: a reference that is not in the catalogue.
        """
        with self._lock:
            record = StepRecord.of(step, {**values, **self._of_trackers()}, now=self._clock())
            if record.nonfinite:
                log.warning("step %d: not finite: %s", step, ", ".join(record.nonfinite))
                record.values["nonfinite_values"] = float(len(record.nonfinite))
            self._write_line(record)
            if self._prometheus is not None:
                for reference, value in record.values.items():
                    self._prometheus.record(reference, value)
            if self._mlflow is not None:
                self._mlflow.log_step(step, record.values, time_seconds=record.time_seconds)

    def log_params(self, spec: Mapping[str, Any]) -> None:
        """Report the resolved spec; sections become dotted names."""
        if self._mlflow is not None:
            self._mlflow.log_params(flatten(spec))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the MLflow run."""
        if self._mlflow is not None:
            self._mlflow.set_tags(tags)

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Give a file or a folder to MLflow; it is copied later and must stay where it is."""
        if self._mlflow is not None:
            self._mlflow.log_artifact(path, folder=folder)

    def close(self, status: str = "FINISHED", *, timeout_seconds: float = 60.0) -> bool:
        """End the report; False when records still wait for MLflow after `timeout_seconds`.

        Args:
            status: FINISHED, FAILED or KILLED.
        """
        delivered = True
        if self._mlflow is not None:
            delivered = self._mlflow.close(status, timeout_seconds=timeout_seconds)
        if self._prometheus is not None:
            self._prometheus.close()
        return delivered

    def _of_trackers(self) -> dict[str, float]:
        """How the trackers themselves do; losses only where there were any."""
        values: dict[str, float] = {}
        lost = {"file": self._lost_lines, "mlflow": 0}
        if self._mlflow is not None:
            values[labelled("sink_pending", "mlflow")] = float(self._mlflow.pending)
            lost["mlflow"] = self._mlflow.dropped
        for sink, count in lost.items():
            if count > self._reported_lost[sink]:
                values[labelled("sink_dropped", sink)] = float(count - self._reported_lost[sink])
                self._reported_lost[sink] = count
        return values

    def _write_line(self, record: StepRecord) -> None:
        try:
            append_line(self._path, json.dumps(record.as_json()))
        except OSError as error:
            self._lost_lines += 1
            log.warning("step %d is missing in %s: %s", record.step, self._path, error)


def default_store(run_folder: Path) -> str:
    """The SQLite file beside the run's folder, which all runs there share."""
    return f"sqlite:///{run_folder.absolute().parent / 'mlflow.db'}"


def _serve(port: int, host: str) -> PrometheusSink | None:
    for candidate in dict.fromkeys((port, 0)):
        try:
            return PrometheusSink(candidate, host=host)
        except OSError as error:
            log.warning("/metrics cannot be served on %s:%d: %s", host, candidate, error)
    return None
