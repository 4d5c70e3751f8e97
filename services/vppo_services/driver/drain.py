"""A request to stop: SIGINT or SIGTERM ends the attempt after its step, with a checkpoint.

`python -m vppo_services.driver.drain` makes such a request and waits, before a pod is ended.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Drain:
    """Remembers that somebody asked; a further SIGINT, as of a second Ctrl-C, ends the process.

    A further SIGTERM changes nothing: whoever sends these may send them twice, and has SIGKILL.
    """

    def __init__(self) -> None:
        self.requested = False
        self._interrupts = False

    def install(self) -> None:
        """Take over SIGINT and SIGTERM of this process; again, when a library has taken them."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def check(self) -> None:
        """Go no further when somebody asked.

        Raises:
            KeyboardInterrupt: somebody did; Ray passes on no other exception of a signal handler.
        """
        if self.requested:
            raise KeyboardInterrupt

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """A block without state to lose: a request ends it at once, one made before included.

        Raises:
            KeyboardInterrupt: somebody asked.
        """
        self._interrupts = True
        try:
            self.check()
            yield
        finally:
            self._interrupts = False
        self.check()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.requested:
            if number == signal.SIGINT:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            return
        self.requested = True
        if self._interrupts:
            raise KeyboardInterrupt


if __name__ == "__main__":
    from vppo_services.driver.prestop import main

    sys.exit(main())
