"""`vppo logs`, `events`, `explain`, `attempts`, `checkpoints`, `usage`, `queues`."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import Result

Vppo = Callable[..., Result]
Sse = Callable[..., str]
T0 = "2026-11-01T11:30:00Z"


def line(number: int, level: str = "INFO") -> dict[str, Any]:
    return {
        "time": T0,
        "level": level,
        "role": "driver",
        "attempt": 1,
        "step": number,
        "message": f"line {number}",
    }


def lines_of(server: Any, path: str, items: list[dict[str, Any]], size: int) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("after") or 0)
        part = items[start : start + size]
        document = {"items": part, "nextAfter": str(start + len(part)) if start or part else ""}
        return httpx.Response(200, json=document)

    server.answer("GET", path, page)


def cells(result: Result) -> list[list[str]]:
    return [row.split("\t") for row in result.stdout.splitlines()]


def test_a_log_is_read_to_its_end(server: Any, vppo: Vppo) -> None:
    lines_of(server, "/jobs/demo/logs", [line(number) for number in range(5)], size=2)
    result = vppo("logs", "demo")
    assert result.stdout.splitlines()[0] == f"{T0}  info      driver a1 s0  line 0"
    assert [row[-6:] for row in result.stdout.splitlines()] == [f"line {n}" for n in range(5)]


def test_an_empty_log_is_nothing(server: Any, vppo: Vppo) -> None:
    lines_of(server, "/jobs/demo/logs", [], size=2)
    result = vppo("logs", "demo")
    assert (result.exit_code, result.output, len(server.requests)) == (0, "", 1)


def test_filters_of_a_log_reach_the_server(server: Any, vppo: Vppo) -> None:
    server.json("GET", "/jobs/demo/logs", {"items": [line(1, "WARNING")], "nextAfter": "9"})
    vppo("logs", "demo", "--level", "Warning", "--attempt", "2", "--tail", "5")
    assert dict(server.requests[0].url.params) == {
        "limit": "1000",
        "level": "warning",
        "attempt": "2",
        "tail": "5",
    }
    assert len(server.requests) == 1


def test_a_log_is_followed_to_the_end_of_the_job(server: Any, vppo: Vppo, sse: Sse) -> None:
    path = "/jobs/demo/logs"
    server.stream(path, sse(("log", line(1), "a")), sse(("log", line(2), "b"), ("end", {})))
    result = vppo("logs", "demo", "-f", "--tail", "3")
    assert [row[-6:] for row in result.stdout.splitlines()] == ["line 1", "line 2"]
    assert server.requests[0].url.params["tail"] == "3"
    assert server.requests[1].headers["last-event-id"] == "a"


def test_a_log_keeps_what_looks_like_markup(server: Any, vppo: Vppo, terminal: Console) -> None:
    odd = {**line(1), "message": "[bold]x[/bold]"}
    lines_of(server, "/jobs/demo/logs", [odd], size=9)
    vppo("logs", "demo", console=terminal)
    assert "[bold]x[/bold]" in terminal.export_text()


def event(seq: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "time": T0,
        "actor": "alice",
        "kind": "Audit",
        "reason": f"R{seq}",
        "message": "two\nlines",
    }


def test_events_are_rows(server: Any, vppo: Vppo) -> None:
    lines_of(server, "/jobs/demo/events", [event(number) for number in range(3)], size=2)
    rows = cells(vppo("events", "demo"))
    assert [row[2] for row in rows] == ["R0", "R1", "R2"]
    assert rows[0] == [T0, "Audit", "R0", "alice", "two lines"]


def test_events_are_followed(server: Any, vppo: Vppo, sse: Sse) -> None:
    status = ("status", {"phase": "Running"})
    server.stream("/jobs/demo/events", sse(status, ("event", event(1), 1), ("end", {})))
    assert [row[2] for row in cells(vppo("events", "demo", "-f"))] == ["R1"]


def test_an_explanation_is_a_sentence_its_causes_and_a_hint(server: Any, vppo: Vppo) -> None:
    document = {
        "sentence": "Waiting for the pool.",
        "hint": "raise priority",
        "causes": [{"reason": "WaitingForQuota", "message": "a-1 holds it"}],
    }
    server.json("GET", "/jobs/demo/explain", document)
    assert vppo("explain", "demo").stdout == (
        "Waiting for the pool.\n- WaitingForQuota: a-1 holds it\nhint: raise priority\n"
    )
    assert json.loads(vppo("explain", "demo", "-o", "json").stdout) == document


def test_attempts_tell_what_was_lost(server: Any, vppo: Vppo) -> None:
    first = {
        "index": 1,
        "created": "2026-11-01T10:00:00Z",
        "ended": "2026-11-01T11:00:00Z",
        "outcome": "Failed",
        "failureClass": "OutOfMemory",
        "charged": True,
        "lastStep": 14,
        "checkpointStep": 10,
        "lostSteps": 4,
        "message": "CUDA out of memory",
    }
    second = {"index": 2, "created": "2026-11-01T11:00:00Z", "firstStep": 10, "lastStep": 12}
    server.json("GET", "/jobs/demo/attempts", {"items": [first, second]})
    head, *rows = cells(vppo("attempts", "demo"))
    table = [dict(zip(head, row, strict=True)) for row in rows]
    assert table[0] == {
        "ATTEMPT": "1",
        "OUTCOME": "Failed",
        "CLASS": "OutOfMemory",
        "STEPS": "0-14",
        "SAVED": "10",
        "LOST": "4",
        "CHARGED": "yes",
        "TIME": "60m",
        "AGE": "2h",
        "MESSAGE": "CUDA out of memory",
    }
    assert (table[1]["OUTCOME"], table[1]["LOST"], table[1]["TIME"]) == ("live", "0", "60m")


def test_checkpoints_show_what_to_choose_by(server: Any, vppo: Vppo) -> None:
    one = {
        "step": 10,
        "uri": "file:///c",
        "attempt": 1,
        "sizeBytes": 2048,
        "created": T0,
        "metrics": {"reward_mean": 0.512},
        "isPromoted": True,
    }
    server.json("GET", "/jobs/demo/checkpoints", {"items": [one]})
    head, row = cells(vppo("checkpoints", "demo"))
    table = dict(zip(head, row, strict=True))
    assert table["STEP"] == "10"
    assert (table["REWARD"], table["ACCURACY"], table["SIZE"], table["KEPT"]) == (
        "0.512",
        "-",
        "2.0 KiB",
        "yes",
    )


def test_a_checkpoint_is_kept_for_good(server: Any, vppo: Vppo) -> None:
    server.json("POST", "/jobs/demo/checkpoints/10:promote", {}, status=202)
    result = vppo("checkpoints", "demo", "--promote", "10")
    assert result.stdout == "OK  step 10 of demo is kept for good\n"


def test_usage_is_in_gpu_hours(server: Any, vppo: Vppo) -> None:
    row = {
        "group": "alice",
        "gpuSecondsAllocated": 7200,
        "gpuSecondsProductive": 5400,
        "gpuSecondsLost": 900,
        "jobs": 3,
    }
    server.json("GET", "/usage", {"items": [row, {"group": "bob"}]})
    result = vppo("usage", "--by", "owner", "--from", "7d", "--to", "2026-11-01")
    assert cells(result)[1] == ["alice", "2.00", "1.50", "0.25", "75 %", "3"]
    assert cells(result)[2] == ["bob", "0.00", "0.00", "0.00", "-", "0"]
    assert dict(server.requests[0].url.params) == {
        "groupBy": "owner",
        "from": "2026-10-25T12:00:00+00:00",
        "to": "2026-11-01T00:00:00+00:00",
    }


def test_queues_are_rows(server: Any, vppo: Vppo) -> None:
    one = {"name": "default", "pool": "local", "waiting": 2, "running": 1}
    server.json("GET", "/queues", {"items": [one]})
    assert cells(vppo("queues"))[1] == ["default", "local", "1", "2"]
    assert json.loads(vppo("queues", "-o", "json").stdout) == {"items": [one]}


def test_the_schema_of_the_api_is_asked_of_the_server(server: Any, vppo: Vppo) -> None:
    server.json("GET", "/schema/openapi", {"openapi": "3.1.0"})
    assert json.loads(vppo("schema", "openapi").stdout) == {"openapi": "3.1.0"}


@pytest.mark.parametrize("kind", ["job", "platform"])
def test_other_schemas_need_no_server(server: Any, vppo: Vppo, kind: str) -> None:
    assert json.loads(vppo("schema", kind).stdout)["$schema"].startswith("https://json-schema.org")
    assert server.requests == []
