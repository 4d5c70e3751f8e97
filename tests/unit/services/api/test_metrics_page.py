"""`/metrics` and `/metrics/targets`: what Prometheus gets of the API, and where it is sent."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from tests.dashboards.promtool import check_page, needs_promtool
from tests.unit.core.instruments.page_reading import missing_in, series_of
from tests.unit.services.api.conftest import client_to
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.records import Backlog
from vppo_core.catalogue.control import API
from vppo_core.instruments import JobCounters
from vppo_services.api.app import create_app
from vppo_services.api.auth import LOCAL
from vppo_services.api.limits import StreamSlots
from vppo_services.api.scrapes import FRESH_SECONDS, ApiGauges
from vppo_services.api.settings import ApiSettings
from vppo_services.local.endpoints import PageKind, RunPage


def page(client: TestClient) -> dict[str, float]:
    return series_of(client.get("/metrics").text)


def a_page(kind: PageKind, address: str) -> RunPage:
    return RunPage(
        kind=kind, job="demo", namespace="default", attempt=2, address=address, path="/metrics"
    )


def test_streams_and_messages_that_wait_are_shown(client_of: Any, store: Any) -> None:
    store.backlog = Backlog(count=3, oldest_seconds=61.5)
    client = client_of()
    found = page(client)
    assert (found["vppo_webhook_backlog"], found["vppo_webhook_oldest_seconds"]) == (3, 61.5)
    assert found["vppo_api_streams"] == 0
    with client.app.state.slots.hold(LOCAL), client.app.state.slots.hold(LOCAL):
        assert page(client)["vppo_api_streams"] == 2
    for result in ("delivered", "failed", "given_up"):
        assert found[f"vppo_webhook_deliveries_total {result}"] == 0


def test_without_a_database_there_is_a_page_and_no_lie(client_of: Any, store: Any) -> None:
    store.error = StoreUnavailableError("the database is away")
    found = page(client_of())
    assert "vppo_webhook_backlog" not in found
    assert found["vppo_api_streams"] == 0


def test_messages_are_counted_every_few_seconds_at_most() -> None:
    asked, now = [], [100.0]

    class Counting:
        def delivery_backlog(self) -> Backlog:
            asked.append(now[0])
            return Backlog(count=len(asked), oldest_seconds=0.0)

    registry = CollectorRegistry()
    ApiGauges(
        registry,
        slots=StreamSlots(1),
        store=Counting,  # type: ignore[arg-type]
        clock=lambda: now[0],
    )
    assert asked == []  # registering asks nobody
    for _ in range(10):
        assert registry.get_sample_value("vppo_webhook_backlog") == 1
    now[0] += FRESH_SECONDS
    assert registry.get_sample_value("vppo_webhook_backlog") == 2


def test_a_machine_shows_its_jobs_on_the_same_page(store: Any) -> None:
    registry = CollectorRegistry()
    JobCounters(registry, holds_at_once=True)
    app = create_app(store, ApiSettings(), registry=registry)
    found = page(client_to(app))
    assert found["vppo_attempts_started_total"] == 0
    assert "vppo_api_streams" in found


def test_every_entry_of_the_catalogue_is_on_the_page(client_of: Any) -> None:
    client = client_of()
    client.get("/jobs")
    assert missing_in(client.get("/metrics").content, API) == []


@needs_promtool
def test_promtool_is_content_with_the_page(client_of: Any, minimal: dict[str, Any]) -> None:
    client = client_of()
    client.post("/jobs", json=minimal)
    client.get("/nothing")
    assert check_page(client.get("/metrics").content) == ""


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(
    ("query", "addresses"),
    [
        ("", ["127.0.0.1:9411", "127.0.0.1:8090"]),
        ("?kind=runs", ["127.0.0.1:9411"]),
        ("?kind=ray", ["127.0.0.1:8090"]),
    ],
)
def test_prometheus_is_sent_to_the_pages_of_running_jobs(
    client_of: Any, store: Any, prefix: str, query: str, addresses: list[str]
) -> None:
    store.pages = (
        a_page(PageKind.RUNS, "127.0.0.1:9411"),
        a_page(PageKind.RAY, "127.0.0.1:8090"),
    )
    reply = client_of().get(f"{prefix}/metrics/targets{query}")
    assert reply.headers["content-type"] == "application/json"
    groups = reply.json()
    assert [target for group in groups for target in group["targets"]] == addresses
    for group in groups:
        role = "ray" if group["targets"] == ["127.0.0.1:8090"] else "driver"
        assert group["labels"] == {
            "job_name": "demo",
            "namespace": "default",
            "attempt": "2",
            "role": role,
            "__metrics_path__": "/metrics",
        }


def test_no_job_is_an_empty_list_and_a_strange_kind_is_refused(client: TestClient) -> None:
    assert client.get("/metrics/targets").json() == []
    reply = client.get("/metrics/targets?kind=pods")
    assert (reply.status_code, reply.json()["param"]) == (422, "kind")
