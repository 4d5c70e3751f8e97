"""An installation of the charts on the cluster of KUBECONFIG, made once for all tests."""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.tools import NAMESPACE, TENANT, Kubectl, api, editor, forwarded, install, remove

COLLECTED_HERE = "tests/e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if COLLECTED_HERE in item.nodeid:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(3000))


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
            remove(kubectl, NAMESPACE, TENANT)


@pytest.fixture(scope="session")
def editor_token(release: Kubectl) -> str:
    """Token of an account with the chart's role for editors in the namespace of the release."""
    return editor(release)


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
        release("delete", "vppojob", name, "--ignore-not-found", "--timeout=500s")
