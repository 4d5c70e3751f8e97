"""What a real API server takes and refuses of a VPPOJob, case by case."""

import copy
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.integration.kube.comparing import holds
from tests.integration.kube.server import ApiServer
from vppo_core.kube.kinds import VPPO_JOBS

CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text())
NEEDED = {"model": {"source": "demo://qwen2.5-vl"}, "data": {"source": "demo://colours"}}


def whole(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The object of a case with what every VPPOJob needs; a case that has a section keeps it."""
    made = copy.deepcopy({"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", **body})
    metadata = made.setdefault("metadata", {})
    metadata["namespace"] = namespace
    if "generateName" not in metadata:
        metadata.setdefault("name", "job")
    if made.get("spec") is not None and "bare" not in made:
        made["spec"] = copy.deepcopy(NEEDED) | made["spec"]
    made.pop("bare", None)
    return made


def has(document: Any, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    return True


def send(
    http: httpx.Client, method: str, namespace: str, name: str, body: Any, query: str
) -> tuple[int, Any]:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = http.request(
        method,
        f"{VPPO_JOBS.path(namespace)}{name}?{query}",
        content=json.dumps(body),
        headers={"Content-Type": kind},
    )
    said = answer.json()
    return answer.status_code, said if answer.is_success else said["message"]


def outcome(case: dict[str, Any], http: httpx.Client, namespace: str) -> tuple[int, Any]:
    query = case.get("query", "")
    if "create" in case:
        return send(http, "POST", namespace, "", whole(case["create"], namespace), query)
    given = whole(case["given"], namespace)
    status, said = send(http, "POST", namespace, "", given, "")
    assert status == 201, said
    name = f"/{given['metadata']['name']}"
    if "patchStatus" in case:
        return send(http, "PATCH", namespace, f"{name}/status", case["patchStatus"], query)
    return send(http, "PATCH", namespace, name, case["patch"], query)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case: dict[str, Any], server: ApiServer, namespace: str) -> None:
    # Not our client: that always asks for strict fields.
    with server.http() as http:
        status, said = outcome(case, http, namespace)
    if case["expect"] == "rejected":
        assert status >= 400, said
        assert case["message"] in said
        return
    assert status < 300, said
    assert holds(said, case.get("stored", {})), said
    assert not [path for path in case.get("absent", []) if has(said, path)], said
