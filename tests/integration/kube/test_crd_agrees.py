"""A real API server and the model take and refuse the same specs, rules between fields included."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.integration.kube.server import ApiServer
from tests.unit.core.spec.test_schema_agrees import example, sentences
from vppo_core.kube.kinds import VPPO_JOBS

COUNT = 2_000
THREADS = 8


def without_null(node: Any) -> Any:
    """What the server looks at: to it, null is an absent field. (The model refuses it.)"""
    if isinstance(node, dict):
        return {name: without_null(value) for name, value in node.items() if value is not None}
    return [without_null(item) for item in node] if isinstance(node, list) else node


def job(number: int) -> dict[str, Any]:
    """A generated job under a right name: what metadata may hold is Kubernetes' own affair."""
    identity = {
        "apiVersion": "vppo.io/v1alpha1",
        "kind": "VPPOJob",
        "metadata": {"name": "job", "namespace": "default"},
    }
    made: dict[str, Any] = without_null(example(number)) | identity
    return made


def said(http: httpx.Client, number: int) -> tuple[int, str]:
    answer = http.post(
        VPPO_JOBS.path("default"),
        params={"dryRun": "All", "fieldValidation": "Strict"},
        content=json.dumps(job(number)),
        headers={"Content-Type": "application/json"},
    )
    return answer.status_code, answer.text[:600]


def test_the_server_and_the_model_agree_on_generated_jobs(server: ApiServer) -> None:
    with server.http() as http, ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda number: said(http, number), range(COUNT)))
    different = [
        (number, sentences(job(number)), answer)
        for number, answer in enumerate(answers)
        if (answer[0] == 201) == bool(sentences(job(number)))
    ]
    assert not different[:3]
    accepted = sum(status == 201 for status, _ in answers)
    assert COUNT / 6 < accepted < COUNT * 5 / 6
    assert {status for status, _ in answers} <= {201, 400, 422}
