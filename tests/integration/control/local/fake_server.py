"""A server that is only a loop: `fake_server.py STATE DRIVER`; it ends with SIGTERM."""

import logging
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from vppo_core.archive.database import open_database
from vppo_services.local.launcher import Launcher
from vppo_services.local.loop import Loop
from vppo_services.local.platform import load_platform


def main(state: Path, driver: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    launcher = Launcher(state / "jobs", command=(sys.executable, driver))
    loop = Loop(
        open_database(f"sqlite:///{state / 'vppo.db'}"),
        launcher,
        platform=load_platform(state / "platform.yaml"),
        clock=lambda: datetime.now(UTC),
        state=state,
    )
    loop.run(stop)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
