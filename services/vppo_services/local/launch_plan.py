"""The process that an attempt is: its command and its environment. Pure."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vppo_core.lifecycle.attempts import gpus_of
from vppo_core.lifecycle.offers import pool_of
from vppo_core.runs.folder import RunFolder
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec
from vppo_services.local.processes import MARK

DRIVER: Final = (sys.executable, "-m", "vppo_services.driver")
LOCK_VARIABLE: Final = "VPPO_RUN_LOCK_FD"
DEVICES_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"


def mark_of(uid: str, index: int) -> str:
    """What the processes of an attempt carry in their environment."""
    return f"{uid}/{index}"


def command_of(
    driver: Sequence[str], run: RunFolder, index: int, *, resume: bool
) -> tuple[str, ...]:
    """The command of an attempt."""
    files = ("--job", str(run.job), "--output", str(run.path))
    return (
        *driver,
        *files,
        "--attempt",
        str(index),
        *(("--resume",) if resume else ()),
        "--quiet",
    )


def added_environment(*, mark: str, devices: str) -> dict[str, str]:
    """What an attempt has in its environment beyond what the server has."""
    return {MARK: mark} | ({DEVICES_VARIABLE: devices} if devices else {})


def environment_of(
    inherited: Mapping[str, str], *, mark: str, lock: int, devices: str
) -> dict[str, str]:
    """The whole environment of an attempt."""
    return {
        **inherited,
        **added_environment(mark=mark, devices=devices),
        LOCK_VARIABLE: str(lock),
    }


def planned_process(
    driver: Sequence[str], jobs_folder: Path, job: VPPOJob, platform: PlatformSpec
) -> dict[str, Any]:
    """The process that the first attempt at a job would be; `UID` stands for what is not known."""
    run = RunFolder.of(jobs_folder, "UID")
    pool = pool_of(job.spec, platform)
    added = added_environment(mark=mark_of("UID", 1), devices=pool.devices if pool else "")
    return {
        "kind": "Process",
        "command": list(command_of(driver, run, 1, resume=False)),
        "environment": added,
        "folder": str(run.path),
        "pool": pool.name if pool else "",
        "gpus": gpus_of(job.spec.placement),
    }
