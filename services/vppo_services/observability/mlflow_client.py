"""The calls of MLflow that a run needs; the only file that imports its client."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# A dead server must be noticed in seconds: the sender does the repeating, at its own pace. The one
# repetition here is for 429 and 503, of which only MLflow itself sees the Retry-After.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Its own information would land in the middle of a progress bar.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

from mlflow import MlflowClient  # reads the settings above
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from vppo_core.catalogue import mlflow_name

RUN_KEY_TAG = "vppo.runKey"
PARENT_TAG = "mlflow.parentRunId"
WEIGHTS = "weights"
"""Folder of the Hugging Face files inside a model."""


class MlflowRuns:
    """Runs of one tracking address. Every method raises what MLflow raises."""

    def __init__(self, uri: str) -> None:
        """Connect lazily: the address is first used by a method."""
        self._client = MlflowClient(tracking_uri=uri)
        self._artifacts = _artifacts_beside(uri)

    def ensure_run(
        self, experiment: str, *, run_key: str, run_name: str, parent_id: str, start_ms: int
    ) -> str:
        """Id of the run tagged `run_key`, created where nobody did: a repeated call is harmless.

        Args:
            parent_id: of the run that it is shown below; may be empty.
            start_ms: when it began, which may be long ago; 0 for now.
        """
        found = self._client.get_experiment_by_name(experiment)
        experiment_id = (
            found.experiment_id
            if found is not None
            else self._client.create_experiment(experiment, artifact_location=self._artifacts)
        )
        first = self._first_run(experiment_id, run_key)
        if first:
            return first
        tags = {RUN_KEY_TAG: run_key} | ({PARENT_TAG: parent_id} if parent_id else {})
        made = self._client.create_run(
            experiment_id, start_time=start_ms or None, tags=tags, run_name=run_name
        )
        # An answer that came too late may have made another one.
        first = self._first_run(experiment_id, run_key)
        return first or str(made.info.run_id)

    def last_step(self, parent_id: str) -> int:
        """Last step that any attempt below a run has; -1 for none."""
        key, runs = mlflow_name("step"), self._below(parent_id)
        return max((int(run.data.metrics.get(key, -1)) for run in runs), default=-1)

    def end_left(self, parent_id: str, *, but: str, time_ms: int) -> None:
        """End the runs below a run that nobody ended, as killed; not the one with the key `but`."""
        for run in self._below(parent_id):
            if run.info.status == "RUNNING" and run.data.tags.get(RUN_KEY_TAG) != but:
                self.set_status(run.info.run_id, "KILLED", time_ms)

    def log_metrics(self, run_id: str, metrics: Sequence[tuple[str, float, int, int]]) -> None:
        """Log up to 1000 of (key, value, milliseconds since the epoch, step)."""
        self._client.log_batch(run_id, metrics=[Metric(*metric) for metric in metrics])

    def params(self, run_id: str) -> dict[str, str]:
        """Parameters that the run has."""
        return dict(self._client.get_run(run_id).data.params)

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Log up to 100 parameters; one that the run has with another value is refused."""
        self._client.log_batch(run_id, params=[Param(k, v) for k, v in params.items()])

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set up to 100 tags, replacing those of the same name."""
        self._client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def log_artifact(self, run_id: str, path: Path, folder: str) -> None:
        """Copy a file, or all files of a folder, into `folder` of the run's artifacts."""
        if path.is_dir():
            self._client.log_artifacts(run_id, str(path), artifact_path=folder or None)
        else:
            self._client.log_artifact(run_id, str(path), artifact_path=folder or None)

    def log_model(self, run_id: str, path: Path, folder: str, settings: Mapping[str, Any]) -> None:
        """Copy a Hugging Face folder as a model that answers; its weights are copied once."""
        from vppo_services.observability.mlflow_model import write_model  # takes a second

        self.log_artifact(run_id, path, f"{folder}/{WEIGHTS}")
        with TemporaryDirectory() as place:
            written = Path(place) / "model"
            write_model(written, run_id=run_id, folder=folder, weights=WEIGHTS, settings=settings)
            self.log_artifact(run_id, written, folder)

    def register(self, name: str, run_id: str, folder: str) -> None:
        """Make a version of the registered model `name`, unless this folder of the run is one."""
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{folder}"
        versions = self._client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
        if all(version.source != source for version in versions):
            self._client.create_model_version(name, source, run_id=run_id)

    def set_status(self, run_id: str, status: str, time_ms: int) -> None:
        """RUNNING, or one of FINISHED, FAILED, KILLED with the time of the end."""
        if status == "RUNNING":
            self._client.update_run(run_id, status=status)
        else:
            self._client.set_terminated(run_id, status=status, end_time=time_ms)

    def _below(self, parent_id: str) -> list[Run]:
        experiment_id = self._client.get_run(parent_id).info.experiment_id
        filter_string = f"tags.`{PARENT_TAG}` = '{parent_id}'"
        return list(self._client.search_runs([experiment_id], filter_string=filter_string))

    def _first_run(self, experiment_id: str, run_key: str) -> str:
        runs = self._client.search_runs(
            [experiment_id],
            filter_string=f"tags.`{RUN_KEY_TAG}` = '{run_key}'",
            order_by=["attributes.start_time ASC"],
        )
        for late in runs[1:]:
            self._client.delete_run(late.info.run_id)
        return str(runs[0].info.run_id) if runs else ""


def _artifacts_beside(uri: str) -> str | None:
    """A SQLite store keeps its artifacts in a folder beside it; a server knows its own place."""
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts").as_uri()
