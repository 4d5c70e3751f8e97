"""Many readers of one job: what they cost, and that none hurts another."""

import asyncio
from contextlib import contextmanager
from typing import Any

import pytest

from vppo_core.archive.errors import StoreUnavailableError
from vppo_services.api.feeds import EVENTS, LOGS, METRICS

pytestmark = pytest.mark.anyio


async def test_any_number_of_readers_cost_one_poll(bench: Any) -> None:
    bench.store.add_metrics(3)
    clients = [bench.open(METRICS) for _ in range(50)]
    for client in clients:
        await client.until(lambda c=client: len(c.named("metric")) == 3)
    await bench.time.pass_by()
    bench.store.calls.clear()
    for _ in range(4):
        await bench.time.pass_by()
    assert bench.store.calls == {"get": 4, "metrics": 4}
    bench.store.add_metrics(1)
    bench.store.calls.clear()
    await bench.time.pass_by()
    for client in clients:
        await client.until(lambda c=client: len(c.named("metric")) == 4)
    assert bench.store.calls == {"get": 1, "metrics": 1}
    for client in clients:
        await client.go()


async def test_without_readers_nothing_runs(bench: Any) -> None:
    before = asyncio.all_tasks()
    clients = [bench.open(feed) for feed in (EVENTS, METRICS, LOGS) for _ in range(5)]
    await bench.time.pass_by()
    assert bench.tails.count == 3
    for client in clients:
        await client.go()
    await bench.time.pass_by()
    assert bench.tails.count == 0
    assert asyncio.all_tasks() == before
    bench.store.calls.clear()
    await bench.time.pass_by(60)
    assert not bench.store.calls


async def test_client_that_goes_while_it_does_not_read_frees_everything(bench: Any) -> None:
    held: list[str] = []

    @contextmanager
    def hold() -> Any:
        held.append("slot")
        try:
            yield
        finally:
            held.pop()

    bench.holds = hold
    before = asyncio.all_tasks()
    client = bench.open(METRICS)
    await bench.time.pass_by()
    client.stop_reading()
    bench.store.add_metrics(1)
    await bench.time.pass_by()
    assert held == ["slot"]
    await client.go()
    await bench.time.pass_by()
    assert held == []
    assert bench.tails.count == 0
    assert asyncio.all_tasks() == before


async def test_slow_reader_loses_nothing_and_holds_nobody_up(bench: Any) -> None:
    slow, fast = bench.open(METRICS), bench.open(METRICS)
    await bench.time.pass_by()
    slow.stop_reading()
    for _ in range(10):
        bench.store.add_metrics(300)  # 3000 items: more than the ring holds
        await bench.time.pass_by()
    await fast.until(lambda: len(fast.named("metric")) == 3000)
    assert len(slow.named("metric")) <= 300
    slow.read_again()
    await slow.until(lambda: len(slow.named("metric")) == 3000)
    assert [m["step"] for m in slow.named("metric")] == list(range(1, 3001))
    bench.store.calls.clear()
    bench.store.add_metrics(1)
    await bench.time.pass_by()
    await slow.until(lambda: len(slow.named("metric")) == 3001)
    assert bench.store.calls["metrics"] == 1, "once it has caught up, it shares the poll again"
    await slow.go()
    await fast.go()


async def test_silence_is_broken_every_fifteen_seconds(bench: Any) -> None:
    client = bench.open(LOGS)
    await bench.time.pass_by()
    for _ in range(59):
        await bench.time.pass_by()
    assert client.body == b"retry: 2000\n\n" + b": keep-alive\n\n"
    for _ in range(60):
        await bench.time.pass_by()
    assert client.body.count(b": keep-alive\n\n") == 2
    await client.go()


async def test_status_comes_at_the_start_and_on_change(bench: Any) -> None:
    client = bench.open(EVENTS)
    await client.until(lambda: client.names == ["status"])
    await bench.time.pass_by()
    assert client.names == ["status"]
    bench.store.set_status(progress={"step": 1})
    await bench.time.pass_by()
    await client.until(lambda: client.names == ["status", "progress"])
    bench.store.set_status(progress={"step": 1}, attempt=2)
    await bench.time.pass_by()
    await client.until(lambda: client.names == ["status", "progress", "status"])
    bench.store.set_status(progress={"step": 2}, attempt=3)
    await bench.time.pass_by()
    await client.until(lambda: len(client.names) == 5)
    assert client.named("progress") == [{"step": 1}, {"step": 2}]
    assert [status.get("attempt") for status in client.named("status")] == [None, 2, 3]
    assert all("id" not in m for m in client.messages), "the last id stays that of an event"
    await client.go()


async def test_late_reader_gets_the_newest_status(bench: Any) -> None:
    first = bench.open(EVENTS)
    await bench.time.pass_by()
    bench.store.set_status(attempt=4)
    await bench.time.pass_by()
    late = bench.open(EVENTS)
    await late.until(lambda: late.names == ["status"])
    assert late.named("status")[0]["attempt"] == 4
    await first.go()
    await late.go()


async def test_store_that_is_away_for_a_while_only_delays(bench: Any) -> None:
    client = bench.open(EVENTS)
    await bench.time.pass_by()
    bench.store.error = StoreUnavailableError("the database is locked; try again")
    bench.store.add_events(1)
    for _ in range(3):
        await bench.time.pass_by()
    assert client.named("event") == []
    bench.store.error = None
    await bench.time.pass_by()
    await client.until(lambda: len(client.named("event")) == 1)
    await client.go()


async def test_store_that_is_away_at_the_start_is_an_error_and_no_stream(bench: Any) -> None:
    bench.store.error = StoreUnavailableError("the database is locked; try again")
    client = bench.open(EVENTS)
    await client.until(client.task.done)
    assert isinstance(client.task.exception(), StoreUnavailableError)
    assert client.sent == []


async def test_fault_of_the_store_ends_streams_instead_of_silencing_them(bench: Any) -> None:
    client = bench.open(EVENTS)
    await bench.time.pass_by()
    bench.store.error = ZeroDivisionError("a fault")
    await bench.time.pass_by()
    await client.until(client.task.done)
    assert client.task.exception() is not None
    assert "end" not in client.names


async def test_closing_server_ends_streams_without_an_end_of_the_job(bench: Any) -> None:
    client = bench.open(LOGS)
    await bench.time.pass_by()
    bench.tails.close()
    await client.until(client.task.done)
    assert client.task.exception() is None
    assert "end" not in client.names
    assert client.sent[-1]["more_body"] is False


async def test_refused_place_means_nothing_is_read(bench: Any) -> None:
    @contextmanager
    def hold() -> Any:
        raise PermissionError("too many streams")
        yield

    bench.holds = hold
    client = bench.open(LOGS)
    await client.until(client.task.done)
    assert isinstance(client.task.exception(), PermissionError)
    assert not bench.store.calls
    assert bench.tails.count == 0
