"""Where a stream begins, what it replays, and how it ends."""

from typing import Any

import pytest

from vppo_core.archive.errors import BadCursorError
from vppo_core.spec.status import JobPhase
from vppo_services.api.feeds import EVENTS, LOGS, METRICS, Filter, LogLevel
from vppo_services.api.reader import Start

pytestmark = pytest.mark.anyio


async def test_stream_of_a_final_job_has_everything_and_ends(bench: Any) -> None:
    bench.store.add_metrics(3)
    bench.store.finish()
    client = bench.open(METRICS)
    await client.until(client.task.done)
    assert client.body.startswith(b"retry: 2000\n\n")
    assert [m["step"] for m in client.named("metric")] == [1, 2, 3]
    assert [m["id"] for m in client.messages if m.get("event") == "metric"] == ["0.1", "0.2", "0.3"]
    assert client.names[-1] == "end"
    assert client.named("end") == [{"phase": "Succeeded"}]
    assert client.sent[-1]["more_body"] is False


async def test_headers_keep_proxies_and_caches_away(bench: Any) -> None:
    bench.store.finish()
    client = bench.open(EVENTS)
    await client.until(client.task.done)
    headers = dict(client.sent[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in headers


async def test_long_history_is_replayed_whole(bench: Any) -> None:
    bench.store.add_metrics(1234)
    bench.store.finish()
    client = bench.open(METRICS)
    await client.until(client.task.done)
    assert [m["step"] for m in client.named("metric")] == list(range(1, 1235))


async def test_reconnect_replays_what_was_missed_then_follows(bench: Any) -> None:
    bench.store.add_events(5)
    client = bench.open(EVENTS, start=Start(position="30", is_reconnect=True))
    await client.until(lambda: len(client.named("event")) == 2)
    bench.store.add_events(1)
    await bench.time.pass_by()
    await client.until(lambda: len(client.named("event")) == 3)
    assert [e["seq"] for e in client.named("event")] == [40, 50, 60]
    assert "reset" not in client.names
    await client.go()


@pytest.mark.parametrize(
    ("position", "is_reconnect"),
    [
        pytest.param("25", True, id="never-was-an-event-of-this-job"),
        pytest.param("25", False, id="in-the-address"),
        pytest.param("999", True, id="beyond-the-newest"),
        pytest.param("no number", True, id="of-another-stream"),
    ],
)
async def test_unknown_position_among_events_resets(
    bench: Any, position: str, is_reconnect: bool
) -> None:
    bench.store.add_events(3)
    bench.store.finish()
    client = bench.open(EVENTS, start=Start(position=position, is_reconnect=is_reconnect))
    await client.until(client.task.done)
    assert client.names == ["status", "reset", "event", "event", "event", "end"]


async def test_position_that_somebody_wrote_wrongly_is_an_error_before_anything_is_sent(
    bench: Any,
) -> None:
    client = bench.open(EVENTS, start=Start(position="seven"))
    await client.until(client.task.done)
    assert isinstance(client.task.exception(), BadCursorError)
    assert client.sent == []
    assert bench.tails.count == 0


async def test_position_of_a_file_that_was_cut_resets(bench: Any) -> None:
    bench.store.add_metrics(2)
    bench.store.cuts = 1
    bench.store.finish()
    client = bench.open(METRICS, start=Start(position="0.7", is_reconnect=True))
    await client.until(client.task.done)
    assert client.names == ["reset", "metric", "metric", "end"]


async def test_cut_file_resets_readers_that_follow(bench: Any) -> None:
    bench.store.add_metrics(4)
    clients = [bench.open(METRICS) for _ in range(2)]
    await bench.time.pass_by()
    bench.store.stored_metrics = bench.store.stored_metrics[:2]
    bench.store.cuts += 1
    await bench.time.pass_by()
    for client in clients:
        await client.until(lambda c=client: len(c.named("metric")) == 6)
        assert client.names == ["metric"] * 4 + ["reset"] + ["metric"] * 2
        reset = next(m for m in client.messages if m.get("event") == "reset")
        assert reset["id"] == ""
    bench.store.add_metrics(1)
    await bench.time.pass_by()
    for client in clients:
        await client.until(lambda c=client: len(c.named("metric")) == 7)
        await client.go()


async def test_tail_begins_with_the_last_lines_that_pass(bench: Any) -> None:
    for number in range(600):
        bench.store.add_log(f"line {number}", level="warning" if number % 100 == 0 else "info")
    client = bench.open(LOGS, start=Start(tail=3), wanted=Filter(LogLevel.WARNING))
    await client.until(lambda: len(client.named("log")) == 3)
    bench.store.add_log("quiet")
    bench.store.add_log("loud", level="error")
    await bench.time.pass_by()
    await client.until(lambda: len(client.named("log")) == 4)
    assert [m["message"] for m in client.named("log")] == [
        "line 300",
        "line 400",
        "line 500",
        "loud",
    ]
    await client.go()


async def test_line_with_breaks_stays_one_message(bench: Any) -> None:
    bench.store.add_log("Traceback:\n\n  File \r\n\u2028 data: x\ud800")
    bench.store.finish()
    client = bench.open(LOGS)
    await client.until(client.task.done)
    assert client.named("log")[0]["message"] == "Traceback:\n\n  File \r\n\u2028 data: x\ud800"


async def test_other_attempts_are_left_out(bench: Any) -> None:
    bench.store.add_log("first", attempt=1)
    bench.store.add_log("second", attempt=2)
    bench.store.finish()
    client = bench.open(LOGS, wanted=Filter(attempt=2))
    await client.until(client.task.done)
    assert [m["message"] for m in client.named("log")] == ["second"]


@pytest.mark.parametrize("phase", [JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED])
async def test_end_comes_after_all_that_a_final_job_wrote(bench: Any, phase: JobPhase) -> None:
    client = bench.open(LOGS)
    await bench.time.pass_by()
    bench.store.add_log("almost")
    await bench.time.pass_by()
    bench.store.add_log("last words")
    bench.store.set_status(phase=phase)
    await bench.time.pass_by()
    await bench.time.pass_by()
    await client.until(client.task.done)
    assert [m["message"] for m in client.named("log")] == ["almost", "last words"]
    assert client.named("end") == [{"phase": phase.value}]
    assert bench.tails.count == 0
