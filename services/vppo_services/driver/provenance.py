"""What a run was made of: tags by which it is found again, and its spec as it was resolved."""

import logging
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

import vppo_services
from vppo_core.redact import redact
from vppo_core.runs.writing import write_atomically
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.job import VPPOJob
from vppo_services.data.rows import RowSource

_log = logging.getLogger(__name__)

REVISION_VARIABLE: Final = "VPPO_REVISION"
"""Git commit of the code, where it is not a clone; an image has it."""

IMAGE_VARIABLE: Final = "VPPO_IMAGE"
"""Image that this process runs in, best with its digest, `name@sha256:...`."""

STATE_TAG: Final = "vppo.state"
"""Tag: `Training`, `Succeeded`, `Stopped` or `Failed`."""

_GIT_SECONDS: Final = 5.0


def tags_of(
    job: VPPOJob,
    rows: RowSource,
    *,
    attempt: int,
    uid: str,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Tags of a run in MLflow; what is not known is left out."""
    image = environment.get(IMAGE_VARIABLE, "")
    tags = {
        "vppo.job": job.metadata.name,
        "vppo.namespace": job.metadata.namespace,
        "vppo.jobUid": uid,
        "vppo.attempt": str(attempt),
        STATE_TAG: "Training",
        "vppo.specHash": spec_hash(job.spec),
        "vppo.dataHash": rows.fingerprint(),
        "vppo.image": image,
        "vppo.imageDigest": image.partition("@")[2],
        # Names of MLflow's own, which its page shows.
        "mlflow.source.git.commit": environment.get(REVISION_VARIABLE, "") or _commit(),
        "mlflow.source.name": "vppo",
        "mlflow.source.type": "JOB",
    }
    return {name: value for name, value in tags.items() if value and value != "unknown"}


def write_spec(path: Path, job: VPPOJob) -> bool:
    """Write the whole job as YAML, defaults included and secrets left out; whether it worked."""
    content = job.model_dump(mode="json", by_alias=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    try:
        write_atomically(path, redact(text))
    except OSError as error:
        _log.warning("the resolved spec was not written to %s: %s", path, error)
        return False
    return True


def _commit() -> str:
    """Commit of the clone that this code lies in, with `-dirty` where it was changed."""
    root = Path(vppo_services.__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
