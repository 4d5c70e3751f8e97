"""`vppo watch`: followed to the end, drawn or in lines, and left alone on Ctrl-C."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import Result

Vppo = Callable[..., Result]
Sse = Callable[..., str]
EVENTS = "/jobs/demo/events"
METRICS = "/jobs/demo/metrics"
T0 = "2026-11-01T12:00:00Z"


def running(step: int) -> tuple[str, dict[str, Any]]:
    return "status", {"phase": "Running", "progress": {"step": step, "totalSteps": 3}}


def ended(phase: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    return ("status", {"phase": phase}), ("end", {"phase": phase})


def rewards(server: Any, *values: float) -> None:
    items = [
        {"step": step, "time": T0, "values": {"reward_mean": value}}
        for step, value in enumerate(values, start=1)
    ]

    def page(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params.get("after") or 0)
        return httpx.Response(200, json={"items": items[after:], "nextAfter": str(len(items))})

    server.answer("GET", METRICS, page)


def test_a_pipe_gets_one_line_for_each_change(server: Any, vppo: Vppo, sse: Sse) -> None:
    rewards(server, 0.25)
    started = {"seq": 1, "time": T0, "kind": "Normal", "reason": "Started", "message": "Go."}
    server.stream(
        EVENTS, sse(("event", started, 1), running(1), running(1), running(2), *ended("Succeeded"))
    )
    result = vppo("watch", "demo")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "2026-11-01T12:00:00Z  event      Started: Go.",
        "2026-11-01T12:00:00Z  Running    step 1/3  reward 0.25",
        "2026-11-01T12:00:00Z  Running    step 2/3  reward 0.25",
        "2026-11-01T12:00:00Z  Succeeded",
    ]


def test_progress_alone_is_a_change_too(server: Any, vppo: Vppo, sse: Sse) -> None:
    rewards(server, 0.5)
    progress = ("progress", {"step": 2, "totalSteps": 3, "etaSeconds": 60})
    server.stream(EVENTS, sse(running(1), progress, *ended("Succeeded")))
    lines = vppo("watch", "demo").stdout.splitlines()
    assert lines[1] == "2026-11-01T12:00:00Z  Running    step 2/3  reward 0.5  eta 60s"


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Failed", 1), ("Cancelled", 3)])
def test_the_exit_code_is_how_the_job_ended(
    server: Any, vppo: Vppo, sse: Sse, phase: str, code: int
) -> None:
    server.stream(EVENTS, sse(*ended(phase)))
    assert vppo("watch", "demo").exit_code == code


def test_a_terminal_gets_a_drawing_that_ends_with_the_job(
    server: Any, vppo: Vppo, sse: Sse, terminal: Console
) -> None:
    rewards(server, 0.1, 0.2, 0.3)
    server.stream(EVENTS, sse(running(3), *ended("Succeeded")))
    assert vppo("watch", "demo", console=terminal).exit_code == 0
    last = terminal.export_text().rpartition("demo  ")[2]
    assert last.startswith("Succeeded")
    assert "▁▅█" in last


def test_only_new_numbers_are_asked_for(server: Any, vppo: Vppo, sse: Sse) -> None:
    rewards(server, 0.1, 0.2)
    server.stream(EVENTS, sse(running(1), running(2), *ended("Succeeded")))
    vppo("watch", "demo")
    asked = [one.url.params.get("after") for one in server.requests if one.url.path == METRICS]
    assert asked[0] is None
    assert set(asked[1:]) == {"2"}


def test_numbers_that_cannot_be_had_do_not_end_the_watch(server: Any, vppo: Vppo, sse: Sse) -> None:
    server.problem("GET", METRICS, 500, "internal", "boom")
    server.stream(EVENTS, sse(running(1), *ended("Succeeded")))
    result = vppo("watch", "demo")
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "command", [["watch", "demo"], ["logs", "demo", "-f"], ["events", "demo", "-f"]]
)
def test_ctrl_c_leaves_the_job_running_and_says_so(
    server: Any, vppo: Vppo, command: list[str]
) -> None:
    def interrupted(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    server.answer("GET", EVENTS, interrupted)
    server.answer("GET", "/jobs/demo/logs", interrupted)
    result = vppo(*command)
    assert result.exit_code == 130
    assert result.stderr == "note: demo goes on without you; `vppo cancel demo` would end it\n"
    assert not [path for path in server.paths if not path.startswith("GET")]


@pytest.mark.parametrize("command", [["watch", "demo"], ["events", "demo", "-f"]])
def test_an_outage_is_told_once_and_waited_for(
    server: Any, vppo: Vppo, sse: Sse, command: list[str]
) -> None:
    away = httpx.ConnectError("refused")
    server.stream(
        EVENTS, sse(("status", {"phase": "Queued"})), away, away, sse(*ended("Succeeded"))
    )
    result = vppo(*command)
    assert result.exit_code == 0
    assert result.stderr == "note: the server is away; trying again for some minutes\n"


def test_a_stream_that_ends_and_goes_on_at_once_is_no_outage(
    server: Any, vppo: Vppo, sse: Sse
) -> None:
    server.stream(EVENTS, sse(("status", {"phase": "Queued"})), sse(*ended("Succeeded")))
    assert vppo("watch", "demo").stderr == ""


def test_a_stream_cut_short_is_an_outage(server: Any, vppo: Vppo, sse: Sse) -> None:
    def cut() -> Iterator[bytes]:
        yield sse(("status", {"phase": "Queued"})).encode()
        raise httpx.ReadError("reset")

    last = httpx.Response(200, content=sse(*ended("Succeeded")).encode())
    away = httpx.ConnectError("refused")
    server.answer("GET", EVENTS, httpx.Response(200, content=cut()), away, last)
    result = vppo("watch", "demo")
    assert result.exit_code == 0
    assert result.stderr == "note: the server is away; trying again for some minutes\n"


def test_a_job_that_is_not_there_is_exit_code_4(server: Any, vppo: Vppo) -> None:
    server.problem("GET", EVENTS, 404, "not_found", "a job must exist, got 'demo'")
    result = vppo("watch", "demo")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == "error: a job must exist, got 'demo'\n"


def test_a_job_that_ended_long_ago_needs_no_status_in_the_stream(
    server: Any, vppo: Vppo, sse: Sse, job_json: Callable[..., dict[str, Any]]
) -> None:
    server.stream(EVENTS, sse(("end", {})))
    server.json("GET", "/jobs/demo", job_json(phase="Failed"))
    assert vppo("watch", "demo").exit_code == 1
