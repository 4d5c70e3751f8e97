"""A real API server with our CRD in it; tests are skipped where its programs are missing."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kube.server import ApiServer, running_server
from vppo_core.kube.client import KubeClient
from vppo_core.kube.errors import KubeError
from vppo_core.kube.kinds import CUSTOM_RESOURCES, NAMESPACES, VPPO_JOBS
from vppo_core.spec.crd import vppojob_crd


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server that knows only what Kubernetes brings along."""
    named = os.environ.get("KUBEBUILDER_ASSETS", "")
    if not named:
        pytest.skip("KUBEBUILDER_ASSETS names no folder with etcd, kube-apiserver and kubectl")
    with running_server(tmp_path_factory.mktemp("apiserver"), Path(named)) as server:
        yield server


@pytest.fixture(scope="session")
def server(bare_server: ApiServer) -> ApiServer:
    """A server that serves VPPOJobs."""
    kube = bare_server.kube()
    kube.create(CUSTOM_RESOURCES, vppojob_crd())
    deadline = time.monotonic() + 30
    while True:
        try:
            kube.list(VPPO_JOBS)
            return bare_server
        except KubeError:
            assert time.monotonic() < deadline, kube.get(CUSTOM_RESOURCES, "", "vppojobs.vppo.io")
            time.sleep(0.1)


@pytest.fixture(scope="session")
def kube(server: ApiServer) -> KubeClient:
    """A client that may do everything."""
    return server.kube()


@pytest.fixture
def namespace(kube: KubeClient, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = request.node.name.lower()
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:50].strip("-")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": f"{name}-"}}
    made: str = kube.create(NAMESPACES, body)["metadata"]["name"]
    return made
