"""Keys to be looked at: each once however often it was woken, never twice at a time."""

import asyncio
import heapq
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from vppo_core.errors import VPPOError
from vppo_operator.lanes import Lanes

_log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

FIRST_BACKOFF_SECONDS: Final = 1.0
LAST_BACKOFF_SECONDS: Final = 300.0
NUDGE_SECONDS: Final = 10.0
"""Least time between two looks that nothing but a nudge asked for."""

IsNews = Callable[[], bool]


def always() -> bool:
    """Whatever a look did, there is more to be found."""
    return True


class WorkQueue(Generic[Key]):
    """Runs `work(key)` for every key that was woken; all methods belong to one event loop.

    A key that is woken while it is worked on is worked on once more. One that failed waits, from a
    second up to five minutes, with jitter; a wake-up shortens that to ten seconds.
    """

    def __init__(
        self,
        work: Callable[[Key], Awaitable[float | None]],
        *,
        clock: Callable[[], float],
        workers: int = 8,
        seed: int | None = None,
    ) -> None:
        """Nothing is done before `run`.

        Args:
            work: gives the seconds after which it wants to look again, or None; may raise.
            clock: seconds that only go up, such as the loop's.
        """
        self._work = work
        self._clock = clock
        self._workers = workers
        self._random = random.Random(seed)
        self._ready: Lanes[Key] = Lanes()
        self._running: set[Key] = set()
        self._again: dict[Key, list[tuple[bool, IsNews]]] = {}
        """Wake-ups of keys that are under way, urgent ones or not."""

        self._due: list[tuple[float, int, Key]] = []
        self._due_at: dict[Key, float] = {}
        self._counter = itertools.count()
        self._failures: dict[Key, int] = {}
        self._looked: dict[Key, float] = {}
        self._changed = asyncio.Event()
        self._is_stopping = False
        self.errors = 0
        """Looks that ended with an error."""

    @property
    def depth(self) -> int:
        """Keys that could be worked on now."""
        return len(self._ready) + len(self._again)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is ready or under way."""
        return not self._ready and not self._running

    def wake(self, key: Key, *, is_urgent: bool = False, is_news: IsNews = always) -> None:
        """Look at the key as soon as there is a free worker; at an urgent one before others.

        Args:
            is_news: asked once more at the end of a look that is under way now: what the look found
                out, or did, needs no other one.
        """
        if self._failures.get(key) and key in self._due_at:
            left = self._looked.get(key, 0.0) + NUDGE_SECONDS - self._clock()
            self.wake_later(key, max(left, 0.0))
            return
        if key in self._running:
            self._again.setdefault(key, []).append((is_urgent, is_news))
            return
        self._due_at.pop(key, None)
        self._ready.put(key, is_urgent=is_urgent)
        self._changed.set()

    def nudge(self, key: Key) -> None:
        """Look at the key soon; what nudges often is looked at every ten seconds."""
        looked = self._looked.get(key)
        wait = 0.0 if looked is None else looked + NUDGE_SECONDS - self._clock()
        if wait <= 0.0:
            self.wake(key)
        else:
            self.wake_later(key, wait)

    def wake_later(self, key: Key, seconds: float) -> None:
        """Look at the key after a time, unless something earlier is agreed on."""
        due = self._clock() + seconds
        if key in self._ready or self._due_at.get(key, due + 1.0) <= due:
            return
        self._due_at[key] = due
        heapq.heappush(self._due, (due, next(self._counter), key))
        self._changed.set()

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a key that is gone."""
        for known in (self._failures, self._looked, self._due_at):
            known.pop(key, None)

    def stop(self) -> None:
        """Take no more keys; `run` returns when those under way are done."""
        self._is_stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Work until `stop`."""
        tasks: set[asyncio.Task[None]] = set()
        while not self._is_stopping:
            self._changed.clear()
            self._move_due()
            while self._ready and len(self._running) < self._workers:
                key = self._ready.take()
                self._running.add(key)
                task = asyncio.create_task(self._look(key))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await self._wait()
        if tasks:
            await asyncio.wait(tasks)

    def move_time(self) -> None:
        """Look at the clock again: for clocks that are moved by hand."""
        self._changed.set()

    async def _wait(self) -> None:
        due = self._due[0][0] - self._clock() if self._due else None
        try:
            await asyncio.wait_for(self._changed.wait(), due)
        except TimeoutError:
            return

    def _move_due(self) -> None:
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            due, _, key = heapq.heappop(self._due)
            if self._due_at.get(key) != due:
                continue  # woken, or agreed on another time since
            del self._due_at[key]
            if key in self._running:
                self._again.setdefault(key, []).append((False, always))
            else:
                self._ready.put(key, is_urgent=False)

    async def _look(self, key: Key) -> None:
        wait: float | None
        try:
            wait = await self._work(key)
        except Exception as error:
            # The one place that catches everything: one job may not end the loop of all others.
            self.errors += 1
            count = self._failures[key] = self._failures.get(key, 0) + 1
            wait = self._backoff(count)
            _log.warning(
                "%s: %s; the next try is in %.0f s", key, error, wait, exc_info=_trace(error)
            )
            self._again.pop(key, None)
        else:
            self._failures.pop(key, None)
        self._running.discard(key)
        self._looked[key] = self._clock()
        news = [is_urgent for is_urgent, is_news in self._again.pop(key, ()) if is_news()]
        if news:
            self._ready.put(key, is_urgent=any(news))
        if wait is not None:
            self.wake_later(key, wait)
        self._changed.set()

    def _backoff(self, failures: int) -> float:
        longest = min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))
        return longest * (0.5 + 0.5 * self._random.random())


def _trace(error: Exception) -> Exception | None:
    """The error where it is none that was raised on purpose: then its place matters."""
    return None if isinstance(error, VPPOError | OSError) else error
