"""Operators as processes, as the chart starts them, against a real API server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.kube.release import token_of
from tests.integration.kube.server import ApiServer, free_ports

SECONDS = 60.0
PLATFORM = {
    "pools": [{"name": "cpu", "nodes": {"cpusPerNode": 4, "memoryMibPerNode": 8192}}],
    "queues": [{"name": "default", "pool": "cpu"}],
    "cluster": {"image": "vppo:test", "storage": {"claim": "runs"}},
}


class OperatorProcess:
    """`python -m vppo_operator` with the account of the chart, for the jobs of one namespace.

    Args:
        folder: with its log; operators of one folder share the state.
        url: address of the API server, where it is not the server's own.
        settings: environment without `OPERATOR_`.
    """

    def __init__(
        self,
        server: ApiServer,
        folder: Path,
        namespace: str,
        name: str = "operator",
        *,
        url: str = "",
        **settings: str,
    ) -> None:
        platform = folder / "platform.yaml"
        platform.write_text(yaml.safe_dump(PLATFORM))
        [port] = free_ports(1)
        self.name = name
        self._log = folder / f"{name}.log"
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        kubeconfig = server.kubeconfig(token_of(server, namespace, "vppo-operator"), url=url)
        own = {
            "NAMESPACES": namespace,
            "LEASE_NAMESPACE": namespace,
            "IDENTITY": name,
            "PLATFORM_FILE": str(platform),
            "STATE": str(folder / "state"),
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(port),
            **settings,
        }
        environment = {f"OPERATOR_{key}": value for key, value in own.items()}
        with self._log.open("wb") as stream:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "vppo_operator"],
                env={**os.environ, "KUBECONFIG": str(kubeconfig), **environment},
                stdout=stream,
                stderr=stream,
            )

    @property
    def log(self) -> str:
        """Everything it said."""
        return self._log.read_text()

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._child.poll()

    def probe(self, path: str) -> tuple[int, str]:
        """What `/readyz` or `/healthz` answers: code and word; zero before it listens."""
        try:
            answer = self._http.get(path)
        except httpx.TransportError:
            return 0, ""
        return answer.status_code, str(json.loads(answer.text)["status"])

    def metric(self, name: str) -> float:
        """A number of its metrics, summed over its labels."""
        families = text_string_to_metric_families(self._http.get("/metrics").text)
        samples = [one for family in families for one in family.samples]
        return sum(one.value for one in samples if one.name == name)

    def await_word(self, *words: str) -> str:
        """Wait until it says that it is one of `ready` and `standby`, and which."""
        self.await_that(lambda: self.probe("/readyz")[1] in words)
        return self.probe("/readyz")[1]

    def await_that(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so, while it runs."""

        def is_so() -> bool:
            assert self.exit_code is None, self.log
            return holds()

        wait_until(is_so, lambda: self.log)

    def signal(self, number: signal.Signals) -> None:
        """Stop it, let it go on, or end it."""
        self._child.send_signal(number)

    def await_end(self) -> int:
        """Its exit code."""
        return self._child.wait(SECONDS)

    def end(self) -> None:
        """Make sure that it is gone."""
        self._http.close()
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()


def wait_until(holds: Callable[[], bool], story: Callable[[], Any], *, every: float = 0.1) -> None:
    """Wait until something is so; else fail with the story of it."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, story()
        time.sleep(every)
