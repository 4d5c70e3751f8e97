"""What driver and operator say to each other on a cluster, where they share no folder.

The driver sends the files of its run folder; the operator keeps them in the same layout and answers
with a request to stop. All that is read there is what a local launcher reads on one machine.
"""

import re
from typing import Final

from pydantic import ConfigDict

from vppo_core.runs.files import DriverFile, StopFile

TOKEN_AUDIENCE: Final = "vppo:{namespace}/{job}"
REPORT_PATH: Final = "/v1/runs/{namespace}/{job}/{uid}/{attempt}/report"
FILES_PATH: Final = "/v1/runs/{namespace}/{job}/{uid}/{attempt}/files"
MAX_PART_BYTES: Final = 2**20
MAX_RUN_BYTES: Final = 64 * 2**20
MAX_FILES: Final = 512
"""Files of one run that are kept; those beyond are refused."""

ATTEMPT_FILE: Final = "/etc/vppo/attempt.json"

_APPENDED: Final = re.compile(
    r"(metrics|log|checkpoints|quarantine)\.jsonl|attempts/\d{1,4}/driver\.out"
)
_REPLACED: Final = re.compile(
    r"attempts/\d{1,4}/(progress|exit|environment)\.json"
    r"|(job|metrics|summary)\.json|report\.html|spotlight/[A-Za-z0-9._-]{1,100}"
)


class AttemptFile(DriverFile):
    """`attempt.json` beside the job: which attempt a driver is, and whom it reports to."""

    model_config = ConfigDict(extra="forbid")

    job: str
    """Name of the job."""

    namespace: str
    uid: str
    """Of the job object."""

    attempt: int
    """1 for the first."""

    output: str
    """Run folder of the job in the pod."""

    receiver: str = ""
    """Address of the operator's receiver; empty: nothing is sent."""

    token_file: str = ""
    """Token with the audience `vppo:<namespace>/<job>`; it is renewed on disk."""

    ca_file: str = ""
    """Certificate that the receiver's one is signed by; empty: those of the system."""


class Report(DriverFile):
    """The driver lives, and has these files."""

    incarnation: str
    """Random, made at the start of the driver: another one in the same attempt means that it was
    started again."""

    files: dict[str, int] = {}  # noqa: RUF012 - pydantic copies it
    """Path in the run folder and bytes of each file that is sent by appending."""


class ReportReply(DriverFile):
    """What the operator has, and what it wants."""

    stop: StopFile | None = None
    """A request to stop, if there is one."""

    sizes: dict[str, int] = {}  # noqa: RUF012
    """Bytes that it has of each file named in the report."""


def is_appended(path: str) -> bool:
    """Whether a file grows by its end: sent from where the receiver has it."""
    return _APPENDED.fullmatch(path) is not None


def is_replaced(path: str) -> bool:
    """Whether a file is sent whole when it changed."""
    return _REPLACED.fullmatch(path) is not None


def is_mirrored(path: str) -> bool:
    """Whether a file of a run folder is sent: never checkpoints, weights or foreign files."""
    return is_appended(path) or is_replaced(path)
