"""Which namespace of a cluster the commands speak of."""

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from vppo_services.cli.client.exchange import place_of
from vppo_services.cli.server import Server, server_of


@pytest.mark.parametrize(
    ("path", "is_placed"),
    [
        ("/jobs", True),
        ("/jobs/demo/events", True),
        ("/usage", True),
        ("/queues", True),
        ("/webhooks/wh-1", True),
        ("/pools", False),
        ("/schema/job", False),
    ],
)
def test_only_what_has_a_namespace_is_asked_with_one(path: str, is_placed: bool) -> None:
    assert bool(place_of(Server(namespace="team"), path)) is is_placed
    assert place_of(Server(), path) == []


def test_the_option_wins_over_the_environment() -> None:
    environment = {"VPPO_NAMESPACE": "there"}
    assert server_of("", None, environment).namespace == "there"
    assert server_of("", None, environment, namespace="here").namespace == "here"
    assert server_of("", None, {}).namespace == ""


@pytest.mark.parametrize("option", ["-n", "--namespace"])
def test_commands_send_it(
    vppo: Callable[..., Result], server: Any, job_json: Callable[..., Any], option: str
) -> None:
    server.json("GET", "/jobs/demo", job_json())
    assert vppo("get", "demo", option, "team").exit_code == 0
    server.json("POST", "/jobs/demo:pause", job_json())
    assert vppo("pause", "demo").exit_code == 0
    sent = [request.url.params.get("namespace") for request in server.requests]
    assert (sent[0], sent[-1]) == ("team", None)


def test_streams_send_it(vppo: Callable[..., Result], server: Any) -> None:
    server.stream("/jobs/demo/logs", "event: end\ndata: {}\n\n")
    assert vppo("logs", "demo", "--follow", "-n", "team").exit_code == 0
    assert server.requests[-1].url.params["namespace"] == "team"
