"""What driver and operator say to each other on a cluster, where they share no folder.

The driver sends the files of its run folder; the operator keeps them in the same layout and answers
with a request to stop. All that is read there is what a local launcher reads on one machine.
"""

import re
import zlib
from typing import BinaryIO, Final

from vppo_core.runs.files import DriverFile, StopFile
from vppo_core.spec.cluster import SPEC_MOUNT

REPORT_PATH: Final = "/v1/runs/{namespace}/{job}/{uid}/{attempt}/report"
FILES_PATH: Final = "/v1/runs/{namespace}/{job}/{uid}/{attempt}/files"
MAX_PART_BYTES: Final = 2**20
"""Bytes of one request."""

MAX_RUN_BYTES: Final = 64 * 2**20
MAX_FILES: Final = 512
"""Files of one run that are kept; those beyond are refused."""

RESERVED_BYTES: Final = 16 * 2**20
RESERVED_FILES: Final = 64
"""What vital files may use beyond the two limits: no log may keep an ending from arriving."""

ATTEMPT_FILE: Final = f"{SPEC_MOUNT}/attempt.json"
ATTEMPT_VARIABLE: Final = "VPPO_ATTEMPT_FILE"
"""Variable that names another place of the attempt file."""

UNKNOWN_ATTEMPT: Final = "unknown_attempt"
"""`code` of a 404 that ends an attempt; any other 404 is of a wrong address and does not."""

REFUSED_PATH: Final = "refused_path"
"""`code` of a 403 that concerns one file, not the sender."""

TAIL_BYTES: Final = 512

_RUN_LINES: Final = re.compile(r"(?:metrics|log|checkpoints|quarantine)\.jsonl")
_OUTPUT: Final = re.compile(r"attempts/[0-9]{1,4}/driver\.out")
_VITAL: Final = re.compile(
    r"attempts/[0-9]{1,4}/(?:progress|exit|environment)\.json"
    r"|(?:metrics|checkpoints)\.jsonl|(?:job|metrics|summary)\.json"
)
_REPLACED: Final = re.compile(
    r"attempts/[0-9]{1,4}/(?:progress|exit|environment)\.json"
    r"|(?:job|metrics|summary)\.json|report\.html|spotlight/step-[0-9]{6,9}\.json"
)


class AttemptFile(DriverFile):
    """`attempt.json` beside the job: which attempt a driver is, and whom it reports to.

    What an operator newer than the driver's image adds is ignored.
    """

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

    request: str = ""
    """Id of the request that made the job; empty: nobody knows it."""


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

    tails: dict[str, str] = {}  # noqa: RUF012
    """Checksum of the last bytes of each of them, see `tail`: a run that goes on from a checkpoint
    cuts its files, and what follows must not be hung on to what was cut."""

    mirror: str = ""
    """Random, made with the operator's folder of the run: another one means that it lost all."""


def is_appended(path: str) -> bool:
    """Whether a file grows by its end: sent from where the receiver has it."""
    return bool(_RUN_LINES.fullmatch(path) or _OUTPUT.fullmatch(path))


def is_restored(path: str) -> bool:
    """Whether a driver in an empty folder asks for the file: the history of the whole run."""
    return _RUN_LINES.fullmatch(path) is not None


def is_vital(path: str) -> bool:
    """Whether the life of the job follows from the file."""
    return _VITAL.fullmatch(path) is not None


def is_replaced(path: str) -> bool:
    """Whether a file is sent whole when it changed."""
    return _REPLACED.fullmatch(path) is not None


def is_mirrored(path: str) -> bool:
    """Whether a file of a run folder is sent: never checkpoints, weights or foreign files."""
    return is_appended(path) or is_replaced(path)


def is_of_attempt(path: str, attempt: int) -> bool:
    """Whether a file belongs to the whole run, or to this attempt."""
    parts = path.split("/")
    return parts[0] != "attempts" or (len(parts) > 1 and parts[1] == str(attempt))


def tail(stream: BinaryIO, size: int) -> str:
    """Checksum of the last bytes of the first `size` bytes of a file."""
    start = max(0, size - TAIL_BYTES)
    stream.seek(start)
    return f"{zlib.crc32(stream.read(size - start)):08x}"
