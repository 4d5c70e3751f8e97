"""Events that are about to be written: kept until the archive has them, also by who comes after us.

    note -> write status -> write archive -> clear

A program that is killed in between leaves the note. The next one tells from status and archive how
far it came: the events are of something that happened once the status says so, and they are written
once the archive has that status.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from vppo_core.lifecycle.actions import JobEvent
from vppo_core.runs.files import DriverFile, write_json
from vppo_core.spec.status import VPPOJobStatus
from vppo_operator.attempt_files import Mirror

_log = logging.getLogger(__name__)

PENDING: Final = "pending.json"
MAX_EVENTS: Final = 200


class PendingEvent(DriverFile):
    """An event that may not be written yet."""

    kind: str
    reason: str
    message: str


class PendingFile(DriverFile):
    """`pending.json`: events, and the status that they came with."""

    status: str
    """As it is written to the archive."""

    events: tuple[PendingEvent, ...] = ()

    def told(self) -> tuple[JobEvent, ...]:
        """The events."""
        return tuple(
            JobEvent(kind=one.kind, reason=one.reason, message=one.message) for one in self.events
        )


class Pending:
    """Notes of events, one file in the mirror of each job's run folder."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def note(self, uid: str, status: VPPOJobStatus, events: Sequence[JobEvent]) -> None:
        """Keep these events, and those that an archive which is away has not got yet."""
        path = self._path(uid)
        before = PendingFile.read(path)
        noted = [
            PendingEvent(kind=one.kind, reason=one.reason, message=one.message) for one in events
        ]
        together = (*(before.events if before else ()), *noted)[-MAX_EVENTS:]
        content = PendingFile(status=status.model_dump_json(by_alias=True), events=together)
        try:
            write_json(path, content)
        except OSError as error:
            _log.warning("job %s: its events cannot be noted: %s", uid, error)

    def clear(self, uid: str) -> None:
        """The archive has them."""
        with suppress(OSError):
            self._path(uid).unlink(missing_ok=True)

    def left(
        self,
        uid: str,
        status: VPPOJobStatus,
        archived: Callable[[str], VPPOJobStatus | None],
    ) -> tuple[JobEvent, ...]:
        """Events that an earlier program noted and did not write; others are forgotten.

        Args:
            status: as it is in the object.
            archived: tells it as it is in the archive; asked only where something was noted.
        """
        found = PendingFile.read(self._path(uid))
        if found is None:
            return ()
        try:
            noted = VPPOJobStatus.model_validate_json(found.status)
        except ValueError:
            noted = VPPOJobStatus()
        if noted != archived(uid) and _place(noted) == _place(status):
            return found.told()
        self.clear(uid)
        return ()

    def _path(self, uid: str) -> Path:
        return self._mirror.folder(uid).path / PENDING


def _place(status: VPPOJobStatus) -> tuple[object, ...]:
    """How far a job is, for events: steps do not matter."""
    ended = tuple(one.index for one in status.attempts if one.ended is not None)
    return status.phase, status.attempt, ended
