"""Programs that the live tests start, until they answer."""

import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

START_SECONDS: Final = 60.0


def await_ready(
    client: httpx.Client, path: str, process: subprocess.Popen[bytes], log: Path
) -> None:
    """Return when `path` answers 200; what the program said where it never does."""
    until = time.monotonic() + START_SECONDS
    while True:
        with suppress(httpx.TransportError):  # it does not listen yet
            if client.get(path).status_code == 200:
                return
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_text()[-2000:]
            raise RuntimeError(f"{process.args!r} must get ready, it said: {said}")
        time.sleep(0.1)
