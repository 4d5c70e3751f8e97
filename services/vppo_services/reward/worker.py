"""The grading process: a grader, and one answer after another until its socket closes.

Started as `python -m vppo_services.reward.worker GRADER SOCKET PARENT`. It speaks lines of JSON: it
says `{"ready": true}` or `{"failed": reason}` once, then takes `{"text", "answer"}` and gives
`{"accuracy", "format", "verdict"}` or `{"error": reason}`. Nothing is unpickled on either side:
what it reads was written by a model, and it evaluates some of that text before it writes.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final, TextIO

from vppo_core.errors import InvalidSpecError
from vppo_core.rewards.base import GradeFn
from vppo_core.rewards.registry import BUILT_IN, resolve

_PR_SET_PDEATHSIG: Final = 1
_MAX_REASON: Final = 300
_SAMPLE: Final = ("\\boxed{\\frac{x+1}{2}}", "x/2+0.5")


def main(grader: str, descriptor: int, parent: int) -> None:
    """Serve one grader on an inherited socket; returns when the other side closes it."""
    _die_with(parent)
    _be_killed_first()
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rw") as stream:
        try:
            grade = resolve(grader)
        except InvalidSpecError as error:
            _say(stream, {"failed": str(error)})
            return
        if grader in BUILT_IN:
            grade(*_SAMPLE)  # sympy imports and caches as it goes; no answer shall pay for that
        _say(stream, {"ready": True})
        for line in stream:
            message = json.loads(line)
            _say(stream, _graded(grade, message["text"], message["answer"]))


def _graded(grade: GradeFn, text: str, answer: str) -> dict[str, object]:
    try:
        reward = grade(text, answer)
    except Exception as error:  # a grader may raise anything; the answer is counted as an error
        return {"error": f"{type(error).__name__}: {error}"[:_MAX_REASON]}
    return {
        "accuracy": float(reward.accuracy),
        "format": float(reward.format),
        "verdict": str(reward.verdict),
    }


def _say(stream: TextIO, message: dict[str, object]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def _die_with(parent: int) -> None:
    """End when the parent does, even while the grader hangs in C code; Linux only.

    Elsewhere an idle process ends at the end of its socket, and a hanging one stays.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


def _be_killed_first() -> None:
    """When memory runs out, let the kernel take a grader, which is replaced, and not a role."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
