"""Keys are looked at once for many wake-ups, never twice at a time, and again after an error."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from vppo_operator.paced import TokenBucket
from vppo_operator.work_queue import NUDGE_SECONDS, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Bench:
    """A queue, its clock and the looks so far; `gate` holds the looks that are under way."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.looks: list[str] = []
        self.answers: dict[str, float | Exception | None] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.most = self.now = 0
        self.queue: WorkQueue[str] = WorkQueue(self._work, clock=self.clock, workers=2, seed=1)

    async def _work(self, key: str) -> float | None:
        self.looks.append(key)
        self.now += 1
        self.most = max(self.most, self.now)
        await self.gate.wait()
        self.now -= 1
        answer = self.answers.get(key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.queue.move_time()
        await self.settle()


def run(scene: Callable[[Bench], Awaitable[None]]) -> None:
    async def play() -> None:
        bench = Bench()
        running = asyncio.create_task(bench.queue.run())
        await scene(bench)
        bench.gate.set()
        bench.queue.stop()
        await running

    asyncio.run(play())


def test_many_wake_ups_are_one_look() -> None:
    async def scene(bench: Bench) -> None:
        for _ in range(5):
            bench.queue.wake("a")
        await bench.settle()
        assert bench.looks == ["a"]

    run(scene)


def test_a_key_woken_while_it_is_looked_at_is_looked_at_once_more_and_never_twice_at_a_time() -> (
    None
):
    async def scene(bench: Bench) -> None:
        bench.gate.clear()
        bench.queue.wake("a")
        await bench.settle()
        bench.queue.wake("a")
        bench.queue.wake("a")
        await bench.settle()
        assert (bench.looks, bench.most) == (["a"], 1)
        bench.gate.set()
        await bench.settle()
        assert (bench.looks, bench.most) == (["a", "a"], 1)

    run(scene)


def test_no_more_keys_at_a_time_than_there_are_workers() -> None:
    async def scene(bench: Bench) -> None:
        bench.gate.clear()
        for key in "abcd":
            bench.queue.wake(key)
        await bench.settle()
        assert (sorted(bench.looks), bench.queue.depth) == (["a", "b"], 2)
        bench.gate.set()
        await bench.settle()
        assert sorted(bench.looks) == ["a", "b", "c", "d"]

    run(scene)


@pytest.mark.parametrize(("is_news", "looks"), [(True, 2), (False, 1)])
def test_what_a_look_did_itself_is_not_looked_at_again(is_news: bool, looks: int) -> None:
    async def scene(bench: Bench) -> None:
        bench.gate.clear()
        bench.queue.wake("a")
        await bench.settle()
        bench.queue.wake("a", is_news=lambda: is_news)
        bench.queue.wake("a", is_news=lambda: False)
        bench.gate.set()
        await bench.settle()
        assert len(bench.looks) == looks

    run(scene)


def test_urgent_keys_come_first_and_of_eight_one_is_another() -> None:
    async def scene(bench: Bench) -> None:
        bench.gate.clear()
        for number in range(2):
            bench.queue.wake(f"running-{number}")
        await bench.settle()
        for number in range(20):
            bench.queue.wake(f"old-{number}")
            bench.queue.wake(f"new-{number}", is_urgent=True)
        bench.queue.wake("old-19", is_urgent=True)  # it moves to the end of the other lane
        bench.queue.wake("new-0")  # it stays
        bench.gate.set()
        while not bench.queue.is_idle:
            await bench.settle()
        first = bench.looks[2:26]
        assert [one for one in first if one.startswith("old")] == [
            "old-0",
            "old-1",
            "old-2",
            "old-19",
        ]
        assert [one for one in first if one.startswith("new")] == [f"new-{n}" for n in range(20)]
        assert len(bench.looks) == len(set(bench.looks)) == 42

    run(scene)


def test_it_looks_again_when_it_was_asked_to_and_a_wake_up_is_earlier() -> None:
    async def scene(bench: Bench) -> None:
        bench.answers["a"] = 60.0
        bench.queue.wake("a")
        await bench.settle()
        await bench.advance(59)
        assert bench.looks == ["a"]
        await bench.advance(1)
        assert bench.looks == ["a"] * 2
        bench.answers["a"] = None
        bench.queue.wake("a")
        await bench.settle()
        await bench.advance(1000)
        assert bench.looks == ["a"] * 3  # the wake-up took the place of what was agreed on

    run(scene)


def test_an_error_is_tried_again_with_growing_pauses_and_the_others_go_on() -> None:
    async def scene(bench: Bench) -> None:
        bench.answers["a"] = OSError("away")
        bench.queue.wake("a")
        await bench.settle()
        bench.queue.wake("b")
        await bench.settle()
        assert bench.looks == ["a", "b"]
        await bench.advance(1)
        assert bench.looks.count("a") == 2
        for _ in range(30):
            await bench.advance(300)
        assert bench.looks.count("a") == 32  # never later than after five minutes
        await bench.advance(140)
        assert bench.looks.count("a") == 32  # and not before half of them
        bench.answers["a"] = None
        await bench.advance(300)
        await bench.advance(3000)
        assert bench.looks.count("a") == 33
        assert bench.queue.errors == 32

    run(scene)


def test_a_wake_up_shortens_the_pause_after_an_error() -> None:
    async def scene(bench: Bench) -> None:
        bench.answers["a"] = OSError("away")
        bench.queue.wake("a")
        await bench.settle()
        for _ in range(10):
            await bench.advance(300)
        seen = len(bench.looks)
        bench.queue.wake("a")
        await bench.settle()
        assert len(bench.looks) == seen
        await bench.advance(NUDGE_SECONDS)
        assert len(bench.looks) == seen + 1

    run(scene)


def test_nudges_are_followed_every_ten_seconds() -> None:
    async def scene(bench: Bench) -> None:
        for _ in range(60):
            bench.queue.nudge("a")
            await bench.advance(1)
        assert 5 <= len(bench.looks) <= 7

    run(scene)


def test_it_finishes_what_is_under_way_when_it_stops() -> None:
    async def play() -> None:
        bench = Bench()
        running = asyncio.create_task(bench.queue.run())
        bench.gate.clear()
        bench.queue.wake("a")
        await bench.settle()
        bench.queue.wake("b")
        bench.queue.stop()
        await bench.settle()
        assert not running.done()
        bench.gate.set()
        await running
        assert bench.now == 0

    asyncio.run(play())


@pytest.mark.parametrize(("calls", "slept"), [(5, 0.0), (6, 0.1), (7, 0.3)])
def test_the_bucket_lets_a_burst_through_and_then_a_rate(calls: int, slept: float) -> None:
    clock, pauses = Clock(), [0.0]
    bucket = TokenBucket(10.0, 5, clock=clock, sleep=pauses.append)
    for _ in range(calls):
        bucket.take()
    assert sum(pauses) == pytest.approx(slept)
