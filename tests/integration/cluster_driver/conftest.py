"""A Ray cluster of several nodes on this machine, as worker groups would make it, and its pods."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from tests.integration.small_job import small_spec
from tests.sim.receiver_server import ReceiverServer
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import AttemptFile
from vppo_core.spec.loading import job_from_document, job_text

PROCESSES = {"reward": 2, "dependency": 1, "learner": 2, "rollout": 1}
DEADLINE_SECONDS = 300.0
GRADER = "def grade(text, answer):\n    return float(len(text) % 2)\n"


class RoleCluster:
    """A head without CPUs, and one node for each role that was asked for."""

    def __init__(self) -> None:
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": 100 * 2**20,
                "include_dashboard": False,
            },
            shutdown_at_exit=False,
        )
        self.node_of: dict[str, str] = {}
        """Node id by role."""

    def add(self, role: str) -> None:
        """A node for a role, unless an earlier test added one."""
        if role in self.node_of:
            return
        processes = PROCESSES[role]
        node = self.cluster.add_node(
            num_cpus=processes,
            resources={f"vppo_{role}": processes},
            object_store_memory=100 * 2**20,
        )
        self.node_of[role] = node.node_id

    def actors(self) -> dict[str, set[str]]:
        """Node ids on which actors of each class were, alive or not."""
        found: dict[str, set[str]] = {}
        for actor in self.cluster.global_state.actor_table(None).values():
            found.setdefault(actor["ActorClassName"], set()).add(actor["Address"]["NodeID"])
        return found


class Pods:
    """Starts drivers as the head's pod would, against a receiver."""

    def __init__(self, folder: Path, cluster: RoleCluster, server: ReceiverServer) -> None:
        self.folder = folder
        self.cluster = cluster
        self.server = server
        self.children: list[subprocess.Popen[str]] = []
        (folder / "token").write_text("good")

    def spec(self, **sections: dict[str, Any]) -> dict[str, Any]:
        return small_spec(timeout_seconds=5.0, num_steps=2, **sections)

    def start(self, spec: dict[str, Any], output: Path, uid: str, attempt: int = 1) -> Any:
        """The entrypoint of an attempt; its run folder in the operator is `mirror(uid)`."""
        mounted = self.folder / f"vppo-{uid}-{attempt}"
        mounted.mkdir(exist_ok=True)
        document = {
            "apiVersion": "vppo.io/v1alpha1",
            "kind": "VPPOJob",
            "metadata": {"name": "colours"},
            "spec": spec,
        }
        (mounted / "job.json").write_text(job_text(job_from_document(document)))
        file = AttemptFile(
            job="colours",
            namespace="team",
            uid=uid,
            attempt=attempt,
            output=str(output),
            receiver=self.server.url,
            token_file=str(self.folder / "token"),
        )
        (mounted / "attempt.json").write_text(file.model_dump_json(by_alias=True))
        self.server.known.add(("team", "colours", uid, attempt))
        child = subprocess.Popen(
            [sys.executable, "-m", "vppo_services.driver"],
            env={
                **os.environ,
                "RAY_ADDRESS": self.cluster.cluster.address,
                "VPPO_ATTEMPT_FILE": str(mounted / "attempt.json"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.children.append(child)
        return child

    def mirror(self, uid: str) -> RunFolder:
        return RunFolder.of(self.server.folder, uid)

    def wait_for(self, holds: Callable[[], Any], child: Any, output: Path) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert child.poll() is None, said(output)
            assert time.monotonic() < deadline, said(output)
            time.sleep(0.1)


def said(output: Path) -> str:
    return "\n".join(path.read_text() for path in output.glob("attempts/*/driver.out"))


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoleCluster]:
    """The nodes inherit what a pod's environment has: here, where a grader is."""
    folder = tmp_path_factory.mktemp("grader")
    (folder / "by_length.py").write_text(GRADER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.delenv("RAY_ADDRESS", raising=False)
        cluster = RoleCluster()
        yield cluster
        ray.shutdown()
        cluster.cluster.shutdown()


@pytest.fixture
def pods(tmp_path: Path, cluster: RoleCluster) -> Iterator[Pods]:
    server = ReceiverServer(tmp_path / "jobs")
    server.allow("good", namespace="team", job="colours")
    server.start()
    pods = Pods(tmp_path, cluster, server)
    yield pods
    for child in pods.children:
        if child.poll() is None:
            child.kill()
            child.wait(30)
    server.stop()
