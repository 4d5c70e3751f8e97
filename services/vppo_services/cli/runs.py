"""The folder of a run, before the driver starts in it: new, or the same job as before."""

import os
from pathlib import Path

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.hashing import CHANGEABLE, differences, spec_hash
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import job_text, load_job
from vppo_core.spec.wording import shown
from vppo_services.cli.files import read_text

JOB_FILE = "job.json"


def prepare(folder: Path, job: VPPOJob, *, resume: bool) -> Path:
    """Writes the resolved job into the folder; the path of that file.

    Raises:
        InvalidSpecError: the folder holds another run, or none although one is to be resumed, or
            the job differs from the one that is resumed in a field that shapes its result.
    """
    path = folder / JOB_FILE
    try:
        if resume:
            _check_same_run(path, job)
        else:
            _check_unused(folder)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".json.part")
        part.write_text(job_text(job), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise InvalidSpecError(
            f"--output must name a folder that can be written, got '{folder}' ({error.strerror}); "
            "choose another"
        ) from None
    return path


def _check_unused(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise InvalidSpecError(
            f"--output must name a new or empty folder, got '{folder}', which holds files; "
            "add --resume to go on with the run in it, or choose another folder"
        )


def _check_same_run(path: Path, job: VPPOJob) -> None:
    if not path.exists():
        raise InvalidSpecError(
            f"--resume must find a run, got '{path.parent}' without {JOB_FILE}; "
            "leave out --resume to start one, or correct --output"
        )
    before = load_job(read_text(path)).spec
    if spec_hash(before) == spec_hash(job.spec):
        return
    frozen = [one for one in differences(before, job.spec) if not one.may_change_on_resume]
    if frozen:
        free = ", ".join(f"{name}*" if name.endswith(".") else name for name in CHANGEABLE)
        raise InvalidSpecError(
            "\n".join(
                f"{one.path} must stay {shown(one.before)} in a resumed run, "
                f"got {shown(one.after)}; change it back, or start a new run with another "
                f"--output (free to change: {free})"
                for one in frozen
            )
        )
