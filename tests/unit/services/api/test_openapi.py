"""The committed OpenAPI document is the one that the application prints.

After a change of a route write it anew, from the root of the repository: `make schema`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from vppo_core.spec.loading import job_from_document
from vppo_core.spec.schema import job_schema
from vppo_services.api.app import create_app
from vppo_services.api.deps import get_caller
from vppo_services.api.errors import CODES
from vppo_services.api.openapi import openapi_text
from vppo_services.api.request_docs import DEMO_JOB
from vppo_services.api.settings import ApiSettings

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "openapi.json"
OPEN = {"/healthz", "/readyz", "/metrics", "/metrics/targets", "/"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(openapi_text())
    return parsed


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_committed_document_is_up_to_date() -> None:
    assert GOLDEN.read_text() == openapi_text(), "run `make schema` and commit the result"


def test_the_server_serves_the_committed_document(
    client: TestClient, document: dict[str, Any]
) -> None:
    assert client.get("/schema/openapi").json() == document


def test_it_is_openapi_3_1_without_paths_that_are_there_twice(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert not [path for path in document["paths"] if path.startswith("/v1")]
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_operation_says_what_it_does_and_how_it_refuses(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        refusals = {"403", "422", "429", "503"} | (set() if path in OPEN else {"401"})
        assert refusals <= operation["responses"].keys(), (path, method)
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (path, method, parameter["name"])


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            node = list(node.values())
        for part in node if isinstance(node, list) else ():
            yield from references(part)

    for reference in set(references(document)):
        target: Any = document
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]


def test_the_example_is_the_demo_that_the_project_ships() -> None:
    file = yaml.safe_load((ROOT / "helm" / "examples" / "demo-vppo.yaml").read_text())
    assert file == DEMO_JOB
    assert job_from_document(DEMO_JOB).metadata.name == "demo-vppo"


def test_a_job_is_described_as_its_schema_describes_it(document: dict[str, Any]) -> None:
    text = json.dumps(job_schema()["$defs"]["RolloutSpec"])
    printed = json.dumps(document["components"]["schemas"]["RolloutSpec"])
    assert printed == text.replace("#/$defs/", "#/components/schemas/")


def test_all_codes_of_problems_are_listed(document: dict[str, Any]) -> None:
    listed = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert listed == sorted(CODES)


def test_every_route_asks_who_calls(store: Any) -> None:
    app = create_app(store, ApiSettings())
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) > 60
    unguarded = {
        route.path.removeprefix("/v1")
        for route in routes
        if get_caller not in {one.call for one in _dependants(route)}
    }
    assert unguarded == OPEN


def _dependants(route: APIRoute) -> Iterator[Any]:
    waiting = [route.dependant]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += one.dependencies
    assert get_flat_dependant(route.dependant)
