"""An installation of the charts on the cluster of KUBECONFIG, made once for all tests."""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.tools import HELM, NAMESPACE, TENANT, Kubectl, api, forwarded, install, run

COLLECTED_HERE = "tests/e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if COLLECTED_HERE in item.nodeid:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(1500))


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    return Kubectl()


@pytest.fixture(scope="session")
def release(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl in the namespace of the release; all of it is gone afterwards."""
    try:
        install()
        yield kubectl
    finally:
        if not os.environ.get("VPPO_TEST_KEEP"):
            _remove(kubectl)


def _remove(kubectl: Kubectl) -> None:
    kubectl("delete", "vppojobs", "--all", "--ignore-not-found", "--timeout=120s")
    run(HELM, "uninstall", "vppo", "--namespace", NAMESPACE, "--ignore-not-found")
    for namespace in (NAMESPACE, TENANT):
        # Not waited for: an aggregated API that is down somewhere holds every namespace up.
        kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def editor_token(release: Kubectl) -> str:
    """Token of an account with the chart's role for editors in the namespace of the release."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "editor", "namespace": NAMESPACE},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "editor", "namespace": NAMESPACE},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "vppo-editor",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "editor", "namespace": NAMESPACE}],
    }
    release.apply(account, binding)
    return release("create", "token", "editor", "--duration=2h").strip()


@pytest.fixture
def rest(release: Kubectl, editor_token: str) -> Iterator[httpx.Client]:
    """The API, as an editor."""
    with forwarded(release, "svc/vppo-api", 8080) as address, api(address, editor_token) as client:
        yield client


@pytest.fixture
def clean(release: Kubectl) -> Iterator[Any]:
    """Names of jobs to delete at the end of a test."""
    names: list[str] = []
    yield names.append
    for name in names:
        release("delete", "vppojob", name, "--ignore-not-found", "--timeout=180s")
