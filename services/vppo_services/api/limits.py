"""How much one caller may ask for: requests a second, open streams, bytes of a body."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request

from vppo_core.spec.parsing import MAX_BYTES
from vppo_services.api.auth import Caller
from vppo_services.api.errors import ApiError

MAX_BODY: Final = MAX_BYTES
"""Bytes of a request's body: as many as a job file may have."""

MAX_CALLERS: Final = 10_000
"""Callers that are remembered; those that asked last."""


class RateLimit:
    """A bucket of tokens for each caller: it holds `burst`, and `rate` flow in each second."""

    def __init__(
        self, rate: float, burst: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Full buckets.

        Args:
            clock: seconds, from anywhere.
        """
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Take a token.

        Raises:
            ApiError: 429 with `Retry-After`, the bucket is empty.
        """
        now = self._clock()
        level, filled = self._buckets.get(caller, (self._burst, now))
        level = min(self._burst, level + (now - filled) * self._rate)
        if level < 1.0:
            wait = max(1, round((1.0 - level) / self._rate))
            raise ApiError(
                429,
                "rate_limited",
                f"a caller must make at most {self._rate:g} requests a second, got more from "
                f"{caller}; wait {wait} s",
                headers={"Retry-After": str(wait)},
            )
        self._buckets[caller] = (level - 1.0, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)


class StreamSlots:
    """Places for open streams."""

    def __init__(self, limit: int) -> None:
        """So many for each caller."""
        self._limit = limit
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def open(self) -> int:
        """Streams of all callers."""
        with self._lock:
            return sum(self._open.values())

    def open_of(self, caller: Caller) -> int:
        """Streams that a caller has open."""
        return self._open.get(caller.name, 0)

    @contextmanager
    def hold(self, caller: Caller) -> Iterator[None]:
        """A place for as long as the block runs.

        Raises:
            ApiError: 429, the caller has as many as it may have.
        """
        self._take(caller.name)
        try:
            yield
        finally:
            self._give_back(caller.name)

    def _take(self, name: str) -> None:
        with self._lock:
            count = self._open.get(name, 0)
            if count >= self._limit:
                raise ApiError(
                    429,
                    "too_many_streams",
                    f"a caller must have at most {self._limit} open streams, got one more from "
                    f"{name}; close one",
                    headers={"Retry-After": "5"},
                )
            self._open[name] = count + 1

    def _give_back(self, name: str) -> None:
        with self._lock:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]


def get_slots(request: Request) -> StreamSlots:
    """Open streams of the application by caller: `with get_slots(request).hold(caller):`."""
    slots: StreamSlots = request.app.state.slots
    return slots


def too_large(got: str) -> ApiError:
    """The reply for a body above the limit."""
    return ApiError(
        413,
        "too_large",
        f"a body must have at most {MAX_BODY} bytes, got {got}; is it the right file?",
        param="body",
    )
