"""Real API servers with our CRD in them; tests are skipped where their programs are missing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kube.crds import loose_crd, serve
from tests.integration.kube.server import ApiServer, running_server
from vppo_core.kube.client import KubeClient
from vppo_core.kube.kinds import NAMESPACES, RAY_CLUSTERS, RAY_JOBS, VPPO_JOBS
from vppo_core.spec.crd import vppojob_crd


@pytest.fixture(scope="session")
def assets() -> Path:
    """Folder of the programs."""
    named = os.environ.get("KUBEBUILDER_ASSETS", "")
    if not named:
        pytest.skip("KUBEBUILDER_ASSETS names no folder with etcd, kube-apiserver and kubectl")
    return Path(named)


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Iterator[ApiServer]:
    """A server that knows only what Kubernetes brings along."""
    with running_server(tmp_path_factory.mktemp("apiserver"), assets) as server:
        yield server


@pytest.fixture(scope="session")
def server(bare_server: ApiServer) -> ApiServer:
    """A server that serves VPPOJobs."""
    serve(bare_server.kube(), VPPO_JOBS, vppojob_crd())
    return bare_server


@pytest.fixture(scope="session")
def kube(server: ApiServer) -> KubeClient:
    """A client that may do everything."""
    return server.kube()


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Iterator[ApiServer]:
    """A server of its own for operators: RayJobs are served, and nobody runs them.

    It answers from etcd and not from a cache, so that what etcd forgot is gone for its clients; and
    who makes an object that blocks its owner's deletion must have the right to.
    """
    flags = {
        "watch_cache": "false",
        "etcd_compaction_interval": "0",
        "enable_admission_plugins": "OwnerReferencesPermissionEnforcement",
    }
    with running_server(tmp_path_factory.mktemp("field"), assets, **flags) as server:
        kube = server.kube()
        serve(kube, VPPO_JOBS, vppojob_crd())
        for kind in (RAY_JOBS, RAY_CLUSTERS):
            serve(kube, kind, loose_crd(kind))
        yield server


@pytest.fixture
def namespace(kube: KubeClient, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    return make_namespace(kube, request.node.name)


@pytest.fixture
def plot(field: ApiServer, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own on the server for operators."""
    return make_namespace(field.kube(), request.node.name)


def make_namespace(kube: KubeClient, title: str) -> str:
    """A new namespace, named after a test."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in title.lower())[:50].strip("-")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": f"{name}-"}}
    made: str = kube.create(NAMESPACES, body)["metadata"]["name"]
    return made
