"""The API server in memory answers reviews of tokens and rights, and has logs of pods."""

from typing import Any

import pytest

from tests.sim.kube_server import Account, SimulatedServer
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import ACCESS_REVIEWS, TOKEN_REVIEWS, Kind


@pytest.fixture
def server() -> SimulatedServer:
    return SimulatedServer()


def review_of(kind: Kind, spec: dict[str, Any]) -> KubeObject:
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {}, "spec": spec}


def test_reviews(server: SimulatedServer) -> None:
    server.reviews.accounts["t"] = Account(
        "system:serviceaccount:default:vppo", ("vppo:default/x",)
    )

    def review(token: str, *audiences: str) -> KubeObject:
        spec = {"token": token, "audiences": list(audiences)}
        status: KubeObject = server.create(TOKEN_REVIEWS, review_of(TOKEN_REVIEWS, spec))["status"]
        return status

    assert review("t", "vppo:default/x")["authenticated"] is True
    assert "authenticated" not in review("t", "vppo:default/y")
    assert "authenticated" not in review("t")
    assert "authenticated" not in review("u", "vppo:default/x")

    server.reviews.grants.add(("ann", "*", "vppojobs", "team"))
    asked = {"verb": "get", "resource": "vppojobs", "namespace": "team"}
    for user, namespace, allowed in (
        ("ann", "team", True),
        ("ann", "other", False),
        ("bob", "team", False),
    ):
        spec = {"user": user, "resourceAttributes": asked | {"namespace": namespace}}
        answer = server.create(ACCESS_REVIEWS, review_of(ACCESS_REVIEWS, spec))
        assert answer["status"]["allowed"] is allowed


def test_a_pod_log_is_cut_to_its_tail(server: SimulatedServer) -> None:
    server.logs["default", "a", ""] = "one\ntwo\nthree\n"
    assert server.pod_log("default", "a", tail=2) == "two\nthree\n"
    assert server.pod_log("default", "b") == ""
