"""Whoever has no rights has none on either door."""

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.tools import TENANT, CommandFailed, Kubectl, api, demo_job, forwarded


@pytest.fixture
def stranger(release: Kubectl) -> Iterator[httpx.Client]:
    """The API, as an account of another namespace."""
    tenant = Kubectl(TENANT)
    release.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TENANT}})
    tenant.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "stranger", "namespace": TENANT},
        }
    )
    token = tenant("create", "token", "stranger").strip()
    with forwarded(release, "svc/vppo-api", 8080) as address, api(address, token) as client:
        yield client


def test_rest_refuses_and_names_what_is_missing(stranger: httpx.Client) -> None:
    refused = stranger.post("/jobs", json=demo_job("not-mine"))
    assert refused.status_code == 403
    problem = refused.json()
    assert problem["code"] == "forbidden"
    assert "create" in problem["detail"]
    assert "vppojobs" in problem["detail"]
    assert stranger.get("/jobs").status_code == 403


def test_kubectl_refuses_the_same(release: Kubectl) -> None:
    account = f"--as=system:serviceaccount:{TENANT}:stranger"
    with pytest.raises(CommandFailed, match=r"(?i)forbidden"):
        release("get", "vj", account)


def test_without_a_token_nobody_is_served(stranger: httpx.Client) -> None:
    stranger.headers.pop("authorization")
    assert stranger.get("/jobs").status_code == 401
