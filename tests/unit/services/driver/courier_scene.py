"""A pod's run folder before the operator's receiver, and a courier between them."""

from pathlib import Path
from typing import Any

from tests.sim.receiver_server import ReceiverServer
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import AttemptFile
from vppo_services.driver.courier import Courier
from vppo_services.driver.receiver import Receiver

KNOWN = ("team", "colours", "uid-1", 2)


class Scene:
    """A run folder in a pod, the operator's receiver, and a courier that is stepped by hand."""

    def __init__(self, tmp_path: Path, **options: Any) -> None:
        self.server = ReceiverServer(tmp_path / "jobs", **options)
        self.server.allow("good", namespace="team", job="colours")
        self.server.known.add(KNOWN)
        self.server.start()
        self.token = tmp_path / "token"
        self.token.write_text("good\n")
        self.run = RunFolder(tmp_path / "run")
        self.run.attempt(2).mkdir(parents=True)
        self.there = RunFolder.of(tmp_path / "jobs", "uid-1")
        self.stops: list[None] = []
        self.courier = self.new_courier()

    def file(self) -> AttemptFile:
        return AttemptFile(
            job="colours",
            namespace="team",
            uid="uid-1",
            attempt=2,
            output=str(self.run.path),
            receiver=self.server.url,
            token_file=str(self.token),
        )

    def new_courier(self, interval_seconds: float = 5.0) -> Courier:
        return Courier(
            Receiver(self.file(), timeout_seconds=5.0),
            self.run,
            2,
            incarnation="one",
            interval_seconds=interval_seconds,
            stop=lambda: self.stops.append(None),
        )

    def write(self, name: str, text: str) -> None:
        path = self.run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def arrived(self, name: str) -> str:
        return (self.there.path / name).read_text()
