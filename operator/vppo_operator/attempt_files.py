"""Files of an attempt in the mirror of its run folder: what the driver sent, what we note."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vppo_core.runs.files import (
    DriverFile,
    ExitFile,
    ProgressFile,
    StopFile,
    last_sign,
    last_words,
    write_json,
)
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.view import Verdict
from vppo_core.runs.writing import write_atomically
from vppo_core.spec.status import FailureClass, Outcome
from vppo_operator.parts import AttemptFiles

_log = logging.getLogger(__name__)

EVIDENCE: Final = "evidence.json"
INCARNATION: Final = "incarnation"


class EvidenceFile(DriverFile):
    """`evidence.json`: why an attempt goes under, noted while its pods are there to tell."""

    started: str = ""
    """Start of the RayJob's run that this is about."""

    outcome: Outcome
    failure_class: FailureClass | None = None
    message: str = ""


class Mirror:
    """The mirrored run folders below one folder. What the disk refuses to keep is logged."""

    def __init__(self, jobs_folder: Path) -> None:
        self._jobs_folder = jobs_folder

    def folder(self, uid: str) -> RunFolder:
        """The mirror of a job's run folder."""
        return RunFolder.of(self._jobs_folder, uid)

    def files(self, uid: str, index: int) -> AttemptFiles:
        """What the mirror has of an attempt."""
        run = self.folder(uid)
        return AttemptFiles(
            was_launched=run.launched(index).exists(),
            stop=StopFile.read(run.stop(index)),
            progress=ProgressFile.read(run.progress(index)),
            exit=ExitFile.read(run.exit(index)),
            last_words=last_words(run.output(index)),
            last_sign=last_sign(run.signs(index)),
        )

    def note_launch(self, uid: str, index: int) -> None:
        """Note that the attempt's RayJob is there."""
        path = self.folder(uid).launched(index)
        if not path.exists():
            with _logged(uid):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()

    def note_stop(self, uid: str, index: int, stop: StopFile) -> None:
        """Leave the request to stop where the receiver reads it; the first one stands."""
        path = self.folder(uid).stop(index)
        if StopFile.read(path) is None:
            with _logged(uid):
                write_json(path, stop)

    def evidence(self, uid: str, index: int, *, started: str) -> Verdict | None:
        """What was noted about the end of this run of the RayJob; any run where none is named."""
        found = EvidenceFile.read(self.folder(uid).attempt(index) / EVIDENCE)
        if found is None or (started and found.started and found.started != started):
            return None
        return Verdict(
            outcome=found.outcome, failure_class=found.failure_class, message=found.message
        )

    def note_evidence(self, uid: str, index: int, verdict: Verdict, *, started: str) -> None:
        """Keep a cause beyond the life of its pods."""
        content = EvidenceFile(
            started=started,
            outcome=verdict.outcome,
            failure_class=verdict.failure_class,
            message=verdict.message,
        )
        with _logged(uid):
            write_json(self.folder(uid).attempt(index) / EVIDENCE, content)

    def new_incarnation(self, uid: str, index: int, incarnation: str) -> str:
        """Note the driver's incarnation; the one before, where this is another."""
        path = self.folder(uid).attempt(index) / INCARNATION
        before = ""
        with suppress(OSError):
            before = path.read_text(encoding="utf-8").strip()
        if before == incarnation:
            return ""
        with _logged(uid):
            write_atomically(path, incarnation)
        return before


@contextmanager
def _logged(uid: str) -> Iterator[None]:
    """The disk may be full or gone: what is noted here can be found out again."""
    try:
        yield
    except OSError as error:
        _log.warning("job %s: nothing can be noted in its mirror: %s", uid, error)
