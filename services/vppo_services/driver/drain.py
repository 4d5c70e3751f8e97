"""A request to stop: SIGINT or SIGTERM ends the run after a step, with a checkpoint."""

import signal
from types import FrameType


class Drain:
    """Remembers that somebody asked; a second signal of the same kind ends the process at once."""

    def __init__(self) -> None:
        self.requested = False

    def install(self) -> None:
        """Take over SIGINT and SIGTERM of this process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.requested:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.requested = True
