"""The small part of an MLflow model: what it takes, what it gives, and the code that answers."""

import shutil
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from vppo_services.observability import vppo_answering

PACKAGES: Final = ("transformers", "torch", "torchvision", "pillow", "jinja2", "pandas")


def write_model(
    path: Path, *, run_id: str, folder: str, weights: str, settings: Mapping[str, Any]
) -> None:
    """Write `MLmodel` and its code to `path`; the weights are put beside them by the caller.

    Args:
        run_id, folder: where it will lie.
        weights: name of the folder of the Hugging Face files, beside `MLmodel`.
        settings: `prompt_template`, `max_new_tokens`, `suppress_tokens`.
    """
    code = Path(vppo_answering.__file__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants an example, with which it would load the model
        mlflow.pyfunc.save_model(
            path,
            loader_module=code.stem,
            code_paths=[str(code)],
            mlflow_model=Model(artifact_path=folder, run_id=run_id),
            signature=_signature(int(settings["max_new_tokens"])),
            pip_requirements=_requirements(),
            model_config={**settings, "weights": weights},
        )
    shutil.rmtree(path / "code" / "__pycache__", ignore_errors=True)


def _signature(max_new_tokens: int) -> ModelSignature:
    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(DataType.binary, "image", required=False),
                ColSpec(DataType.string, "question"),
            ]
        ),
        outputs=Schema([ColSpec(DataType.string, "answer")]),
        params=ParamSchema(
            [
                ParamSpec("max_new_tokens", DataType.long, max_new_tokens),
                ParamSpec("temperature", DataType.double, 0.0),
            ]
        ),
    )


def _requirements() -> list[str]:
    """The packages as they are here; a version of one build, `2.13.0+cpu`, as the public one."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            found.append(name)
    return found
