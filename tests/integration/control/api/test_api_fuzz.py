"""Schemathesis over the whole OpenAPI document: every reply is documented, and none is a crash."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    ensure_resource_availability,
    positive_data_acceptance,
    use_after_free,
)
from starlette.types import ASGIApp

from vppo_core.spec.loading import job_from_document
from vppo_services.api.app import describe
from vppo_services.api.job_store import JobStore

load_all_checks()

NAME = "cubes"
NAMESPACE = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
EXAMPLES = 12
# Rules between fields, of names, times and positions: a schema cannot say these.
BEYOND_SCHEMA = {
    "createJob",
    "patchJob",
    "cloneJob",
    "createWebhook",
    "getUsage",
    "listJobs",
    "getEvents",
    "getMetrics",
    "getLogs",
}


def operations() -> Iterator[Any]:
    for path, methods in describe()["paths"].items():
        for method, operation in methods.items():
            yield pytest.param(path, method, id=operation["operationId"])


@pytest.fixture(scope="module")
def api_schema(
    open_app: ASGIApp, either_store: JobStore, minimal_job: Callable[..., dict[str, Any]]
) -> Any:
    either_store.create(job_from_document(minimal_job(NAME)), owner="local")
    return schemathesis.openapi.from_asgi("/schema/openapi", open_app)


@pytest.mark.parametrize(("path", "method"), operations())
def test_every_reply_is_documented_and_none_is_a_crash(
    api_schema: Any, path: str, method: str
) -> None:
    operation = api_schema[path][method]
    excluded = [ensure_resource_availability, use_after_free]
    if operation.definition.raw["operationId"] in BEYOND_SCHEMA:
        excluded.append(positive_data_acceptance)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(
        case=st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        ),
        is_about_a_job=st.booleans(),
    )
    def ask(case: schemathesis.Case, is_about_a_job: bool) -> None:
        # Random names find nothing.
        if is_about_a_job and "name" in case.path_parameters:
            case.path_parameters["name"] = NAME
        # A name that could be one of a namespace is none of those that are served.
        if NAMESPACE.match(str(case.query.get("namespace", ""))):
            case.query["namespace"] = "default"
        reply = case.call()
        case.validate_response(reply, excluded_checks=excluded)
        if reply.status_code >= 400 and method != "head":
            problem = reply.json()
            assert problem["hint"], problem
            assert problem["status"] == reply.status_code

    ask()


def test_the_job_of_the_requests_is_still_there(either_store: JobStore) -> None:
    assert either_store.get(NAME).name == NAME
