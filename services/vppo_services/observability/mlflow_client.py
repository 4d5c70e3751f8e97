"""The calls of MLflow that a run needs; the only file that imports it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

# A dead server must be noticed in seconds: the sender does the repeating, at its own pace.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Its own information would land in the middle of a progress bar.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

from mlflow import MlflowClient  # reads the settings above
from mlflow.entities import Metric, Param, RunTag

RUN_KEY_TAG = "vppo.runKey"


class MlflowRuns:
    """Runs of one tracking address. Every method raises what MLflow raises."""

    def __init__(self, uri: str) -> None:
        """Connect lazily: the address is first used by a method."""
        self._client = MlflowClient(tracking_uri=uri)
        self._artifacts = _artifacts_beside(uri)

    def ensure_run(self, experiment: str, *, run_key: str, run_name: str) -> str:
        """Id of the run tagged `run_key`, created where nobody did: a repeated call is harmless."""
        found = self._client.get_experiment_by_name(experiment)
        experiment_id = (
            found.experiment_id
            if found is not None
            else self._client.create_experiment(experiment, artifact_location=self._artifacts)
        )
        runs = self._client.search_runs(
            [experiment_id], filter_string=f"tags.`{RUN_KEY_TAG}` = '{run_key}'", max_results=1
        )
        if runs:
            return str(runs[0].info.run_id)
        tags = {RUN_KEY_TAG: run_key}
        return str(self._client.create_run(experiment_id, tags=tags, run_name=run_name).info.run_id)

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

    def set_status(self, run_id: str, status: str, time_ms: int) -> None:
        """RUNNING, or one of FINISHED, FAILED, KILLED with the time of the end."""
        if status == "RUNNING":
            self._client.update_run(run_id, status=status)
        else:
            self._client.set_terminated(run_id, status=status, end_time=time_ms)


def _artifacts_beside(uri: str) -> str | None:
    """A SQLite store keeps its artifacts in a folder beside it; a server knows its own place."""
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts").as_uri()
