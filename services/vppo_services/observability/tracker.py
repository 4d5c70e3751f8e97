"""The one object through which a run reports: metrics file, Prometheus and MLflow."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy.typing as npt

from vppo_core.catalogue import labelled, parse
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.writing import append_line, write_atomically
from vppo_core.spec.tracking import TrackingSpec
from vppo_services.observability.mlflow import MlflowSink, flatten
from vppo_services.observability.mlflow_delivery import Runs, connect
from vppo_services.observability.prometheus import PrometheusSink
from vppo_services.observability.record import StepRecord, cut_steps, read_steps
from vppo_services.observability.system_metrics import SystemMetrics

log = logging.getLogger(__name__)

METRICS_FILE = "metrics.jsonl"
MLFLOW_FOLDER = "mlflow"
_SINKS = ("file", "mlflow", "spotlight")


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
        self._system = SystemMetrics(mlflow.log_readings) if mlflow is not None else None
        self._clock = clock
        self._lock = threading.Lock()
        self._lost_lines = 0
        self._reported_lost = {"file": 0, "mlflow": 0}
        self._told_nonfinite: set[str] = set()
        self.announce({labelled("sink_dropped", sink): 0.0 for sink in _SINKS})
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
        attempt: int = 1,
        resumed_step: int = -1,
        host: str = "127.0.0.1",
        connect: Callable[[str], Runs] = connect,
        ray_urls: Sequence[str] = (),
    ) -> Self:
        """A tracker as the spec asks; starts `/metrics` and the delivery to MLflow.

        Args:
            run_folder: folder of the run; it outlives the process. One that is named after the
                uid of a job may even be lost: its runs in MLflow are found again.
            job: name of the run in MLflow.
            attempt: number of the attempt, which has a run below that of the job.
            resumed_step: step of the checkpoint that the run goes on from; -1 for a new run.
            host: address that `/metrics` listens on.
            connect: makes the connection to MLflow, in the background.
            ray_urls: pages of Ray's agents, told in `metrics.json` beside the run's own.
        """
        mlflow = MlflowSink(
            tracking.mlflow_uri or default_store(run_folder),
            experiment=tracking.experiment,
            run_name=job,
            folder=run_folder / MLFLOW_FOLDER,
            spool_bytes=tracking.spool_mib * 2**20,
            attempt=attempt,
            uid=job_uid(run_folder),
            connect=connect,
        )
        prometheus = _serve(tracking.metrics_port, host)
        tracker = cls(run_folder, prometheus=prometheus, mlflow=mlflow, resumed_step=resumed_step)
        tracker._start_mlflow()
        if prometheus is not None:
            endpoint = {
                "host": prometheus.host,
                "port": prometheus.port,
                "url": prometheus.url,
                "ray": list(ray_urls),
            }
            try:
                write_atomically(
                    RunFolder(run_folder).endpoint, json.dumps(endpoint, indent=2) + "\n"
                )
            except OSError as error:
                log.warning("the address of /metrics could not be written: %s", error)
        return tracker

    @property
    def metrics_url(self) -> str:
        """Address of `/metrics`, empty where it could not be served."""
        return self._prometheus.url if self._prometheus is not None else ""

    @property
    def mlflow_run_id(self) -> str:
        """Id of the attempt's MLflow run, empty until MLflow gave one."""
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
                self._tell_nonfinite(record)
                record.values["nonfinite_values"] = float(len(record.nonfinite))
            self._write_line(record)
            if self._prometheus is not None:
                for reference, value in record.values.items():
                    self._prometheus.record(reference, value)
            if self._mlflow is not None:
                self._mlflow.log_step(step, record.values, time_seconds=record.time_seconds)

    def announce(self, values: Mapping[str, float]) -> None:
        """Show values on `/metrics` at once; they are part of no step's record.

        Args:
            values: by catalogue reference; a counter with 0 is there from then on, so that its
                first event is seen.

        Raises:
            LookupError: a reference that is not in the catalogue.
        """
        if self._prometheus is not None:
            for reference, value in values.items():
                self._prometheus.record(reference, value)

    def observe(self, key: str, values: npt.ArrayLike) -> None:
        """Add an array to a distribution of the catalogue, such as `token_dependency`.

        On `/metrics` alone: a step has no single value of it. What is not finite is counted.

        Raises:
            LookupError: not a distribution of the catalogue.
        """
        if self._prometheus is None:
            return
        if lost := self._prometheus.observe_all(key, values):
            log.warning("%s: %d values were not finite", key, lost)
            self._prometheus.record("nonfinite_values", float(lost))

    def log_params(self, spec: Mapping[str, Any]) -> None:
        """Report the resolved spec; sections become dotted names."""
        if self._mlflow is not None:
            self._mlflow.log_params(flatten(spec))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the MLflow runs of the job and of the attempt."""
        if self._mlflow is not None:
            self._mlflow.set_tags(tags)

    def log_artifact(self, path: Path, *, folder: str = "", of_attempt: bool = False) -> None:
        """Give a file or a folder to MLflow; it is copied later and must stay where it is.

        Args:
            of_attempt: it goes to the run of the attempt, else to that of the job.
        """
        if self._mlflow is not None:
            self._mlflow.log_artifact(path, folder=folder, of_attempt=of_attempt)

    def log_summary(self, step: int, values: Mapping[str, float]) -> None:
        """Report how the job did so far, under names of their own, to MLflow alone."""
        if self._mlflow is not None:
            self._mlflow.log_summary(step, values, time_seconds=self._clock())

    def log_model(self, path: Path, *, name: str, step: int, settings: Mapping[str, Any]) -> None:
        """Give a Hugging Face folder to MLflow as a model; see `MlflowSink.log_model`."""
        if self._mlflow is not None:
            self._mlflow.log_model(path, name=name, step=step, settings=settings)

    def close(
        self, status: str = "FINISHED", *, timeout_seconds: float = 60.0, busy_seconds: float = 0.0
    ) -> bool:
        """End the report; False when records still wait for MLflow after `timeout_seconds`.

        Args:
            status: FINISHED, FAILED or KILLED.
            busy_seconds: instead of `timeout_seconds` while MLflow takes all that it is sent.
        """
        delivered = True
        if self._system is not None:
            self._system.close()
        if self._mlflow is not None:
            delivered = self._mlflow.close(
                status, timeout_seconds=timeout_seconds, busy_seconds=busy_seconds
            )
        if self._prometheus is not None:
            self._prometheus.close()
        return delivered

    def _start_mlflow(self) -> None:
        if self._mlflow is None or self._system is None:
            return
        if self._mlflow.is_new:  # the steps of a folder that was lost came back with a checkpoint
            for line in read_steps(self._path):
                values = {k: float(v) for k, v in line.items() if _is_number(k, v)}
                self._mlflow.log_step(line["step"], values, time_seconds=float(line["time"]))
        self._mlflow.start()
        self._system.start()

    def _tell_nonfinite(self, record: StepRecord) -> None:
        """Say it once of each value: what is not a number now mostly stays so."""
        new = [name for name in record.nonfinite if name not in self._told_nonfinite]
        self._told_nonfinite.update(new)
        if new:
            log.warning("step %d: not finite: %s", record.step, ", ".join(new))

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
            level = logging.WARNING if self._lost_lines == 1 else logging.DEBUG
            log.log(level, "step %d is missing in %s: %s", record.step, self._path, error)


def default_store(run_folder: Path) -> str:
    """The SQLite file beside the run's folder, which all runs there share."""
    return f"sqlite:///{run_folder.absolute().parent / 'mlflow.db'}"


def _is_number(reference: str, value: object) -> bool:
    """Whether it is a metric; an earlier version may have had others."""
    try:
        parse(reference)
    except LookupError:
        return False
    return isinstance(value, int | float)


def job_uid(run_folder: Path) -> str:
    """The uid of the job that a run folder is named after; empty where a person named it."""
    try:
        return str(uuid.UUID(run_folder.absolute().name))
    except ValueError:
        return ""


def _serve(port: int, host: str) -> PrometheusSink | None:
    for candidate in dict.fromkeys((port, 0)):
        try:
            return PrometheusSink(candidate, host=host)
        except OSError as error:
            log.warning("/metrics cannot be served on %s:%d: %s", host, candidate, error)
    return None
