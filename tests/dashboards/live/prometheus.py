"""A real Prometheus of one test: started with a configuration, asked over HTTP."""

import math
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.dashboards.live.readiness import await_ready


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that answers."""

    client: httpx.Client

    def ask(self, path: str, **parameters: Any) -> Any:
        """The data of an answer.

        Raises:
            ValueError: Prometheus refuses; with its message.
        """
        answer = self.client.get(f"/api/v1/{path}", params=parameters).json()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']}: {parameters}")
        return answer["data"]

    def series(self, expression: str, start: float, end: float, step: float) -> int:
        """How many series an expression has between two moments, counting those that once had a
        number."""
        found = self.ask("query_range", query=expression, start=start, end=end, step=step)
        return sum(
            any(math.isfinite(float(value)) for _, value in one["values"])
            for one in found["result"]
        )

    def await_series(self, name: str, seconds: float) -> None:
        """Return when it has read a series of that name.

        Raises:
            RuntimeError: it reads none in time.
        """
        until = time.monotonic() + seconds
        while not self.ask("query", query=name)["result"]:
            if time.monotonic() > until:
                raise RuntimeError(f"{name} must be read within {seconds:.0f} s, it was not")
            time.sleep(0.1)


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any] | None = None) -> Iterator[Prometheus]:
    """Runs it with its data in `folder/data`.

    Raises:
        RuntimeError: it does not get ready; with its log.
    """
    path = folder / "prometheus.yaml"
    path.write_text(yaml.safe_dump(dict(config or {})))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=90d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    log_path = folder / "prometheus.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0, trust_env=False) as client:
        try:
            await_ready(client, "/-/ready", process, log_path)
            yield Prometheus(client)
        finally:
            process.terminate()
            process.wait(timeout=30)
