"""Where a checkpoint lies: by its folder, or by the name of a job of the server."""

import re
from pathlib import Path
from typing import Final

from vppo_core.errors import InvalidSpecError
from vppo_services.cli.server import server_of

_JOB_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


def checkpoint_source(source: str) -> str:
    """The folder that was named, or the newest checkpoint of the job of that name.

    What exists here, or is no job's name, stays as it is: whoever reads it says what is wrong.

    Raises:
        InvalidSpecError: the server knows no such job, or no checkpoint of it.
    """
    if Path(source).exists() or not _JOB_NAME.fullmatch(source):
        return source
    from vppo_services.cli.client import ApiProblem, Client, Retries

    with Client(server_of(), retries=Retries(tries=1)) as client:
        try:
            found = client.checkpoints(source)
        except ApiProblem as error:
            raise InvalidSpecError(
                f"a run, checkpoint or job must be named, got '{source}': there is no such folder, "
                f"and {error}"
            ) from error
    if not found:
        raise InvalidSpecError(
            f"job '{source}' must have a checkpoint, got none; wait for checkpoint.everySteps"
        )
    return max(found, key=lambda one: one.step).uri
