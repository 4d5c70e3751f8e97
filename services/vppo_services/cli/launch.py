"""Running the heavy programs, so that the command line itself imports none of them."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True)
class Launcher:
    """Hands this process over to a module."""

    interpreter: tuple[str, ...] = (sys.executable,)
    """Command before `-m MODULE`."""

    def run(self, module: str, arguments: Sequence[str]) -> NoReturn:
        """Becomes `python -m module`: same process, terminal and group, and its exit code is ours.

        Signals so reach it directly and once, SIGKILL included: nothing is left training behind a
        command that was killed.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        command = [*self.interpreter, "-m", module, *arguments]
        os.execv(command[0], command)
