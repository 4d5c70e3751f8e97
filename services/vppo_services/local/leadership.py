"""One loop for each state folder: the others wait until it dies."""

import os
from pathlib import Path

from vppo_services.local import run_lock

LOCK_FILE = ".loop.lock"


class Leadership:
    """The right to run the loop; it ends with the process, however that ends."""

    def __init__(self, state: Path) -> None:
        self._path = state / LOCK_FILE
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this program has it."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Take it if nobody has it; whether it is held now.

        Raises:
            OSError: the state folder refuses.
        """
        if self._descriptor is None:
            self._descriptor = run_lock.take(self._path)
        return self.is_held

    def give_up(self) -> None:
        """Let another program have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
