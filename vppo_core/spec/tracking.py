"""Where the record of a run goes, and what is measured on held-out questions."""

from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import ShortText, SpecModel, Uri


class TrackingSpec(SpecModel):
    """MLflow and Prometheus; neither can stop a run."""

    mlflow_uri: Uri = ""
    """MLflow tracking address; empty means a SQLite file beside the run's folder."""

    experiment: Annotated[ShortText, Field(min_length=1)] = "vppo"
    """MLflow experiment."""

    register_model: bool = True
    """Copy the trained model to MLflow and register it under the job's name."""

    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port of the run's `/metrics`; 0 takes a free one and writes it to `metrics.json`."""

    spool_mib: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Records that wait on disk while MLflow is away, MiB; older ones are dropped and counted."""


class EvaluationSpec(SpecModel):
    """Accuracy on `data.validationSource`, before training, on the way, and after."""

    every_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Steps between evaluations; 0 means only before and after training."""

    max_prompts: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """Held-out questions that are asked."""

    samples_per_prompt: Annotated[int, Field(ge=1, le=128)] = 1
    """Answers per question; the accuracy is the mean over all."""

    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    """Sampling temperature; 0 takes the most probable token."""
