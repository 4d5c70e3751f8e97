"""Delivers a spool in the background, again and again until it succeeds."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from vppo_services.observability.spool import Record, Spool

log = logging.getLogger(__name__)

Send = Callable[[list[Record]], int]
"""Delivers records from the front of a batch and returns how many; raises to try again later."""

_BATCH: Final = 200
_FIRST_DELAY_SECONDS: Final = 0.5
_LAST_DELAY_SECONDS: Final = 10.0


class RefusedError(Exception):
    """The receiver will never take the first record; it is dropped and counted."""


class Sender:
    """One thread that sends a spool's records in order, with growing delays after a failure."""

    def __init__(
        self,
        spool: Spool,
        send: Send,
        *,
        name: str,
        wait: Callable[[threading.Condition, float | None], object] = threading.Condition.wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is sent before `start`.

        Args:
            wait: waits on a held condition for at most so many seconds.
            clock: seconds that only rise.
        """
        self._spool = spool
        self._send = send
        self._name = name
        self._wait = wait
        self._clock = clock
        self._changed = threading.Condition()
        self._stopping = False
        self._failures = 0
        self._refusals = 0
        self._hurry = False
        self._thread = threading.Thread(target=self._run, name=f"send-{name}", daemon=True)

    def start(self) -> None:
        """Begin to send what is there, and whatever comes."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the spool now: something was appended."""
        with self._changed:
            self._changed.notify_all()

    def flush(self, timeout_seconds: float, *, busy_seconds: float = 0.0) -> bool:
        """Wait until all is delivered, at most `timeout_seconds`; False when some still waits.

        Args:
            busy_seconds: instead, as long as the receiver takes what it is sent.
        """
        start = self._clock()
        with self._changed:
            self._failures, self._hurry = 0, True
            self._changed.notify_all()
            while self._spool.pending and self._thread.is_alive():
                limit = timeout_seconds if self._failures else max(timeout_seconds, busy_seconds)
                left = start + limit - self._clock()
                if left <= 0.0:
                    return False
                self._wait(self._changed, left)
        return not self._spool.pending

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Stop the thread; a call that hangs is left behind, it ends with the process."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def pump(self) -> bool:
        """Send the oldest records once; False when the receiver is away."""
        batch = self._spool.peek(_BATCH)
        if not batch.records:
            return True
        try:
            done, lost = self._send(batch.records), 0
        except RefusedError as refusal:
            self._refused(refusal)
            done, lost = 0, 1
        except Exception as error:  # whatever a tracker raises must not end the thread
            self._failed(error)
            return False
        if self._failures:
            log.info("%s is back; %d records wait", self._name, self._spool.pending)
        self._failures = 0
        self._spool.commit(batch.ends[max(done, lost) - 1], lost=lost)
        return True

    def delay(self) -> float:
        """Seconds until the next try: doubles with every failure, up to ten seconds."""
        return min(_FIRST_DELAY_SECONDS * 2.0 ** min(self._failures - 1, 10), _LAST_DELAY_SECONDS)

    def _refused(self, refusal: RefusedError) -> None:
        level = logging.DEBUG if self._refusals else logging.WARNING
        self._refusals += 1
        log.log(
            level,
            "%s refused a record, which is dropped, as any more will be: %s",
            self._name,
            str(refusal)[:300],
        )

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        level = logging.WARNING if self._failures == 1 else logging.DEBUG
        log.log(
            level,
            "%s is away (%s: %s); training goes on, %d records wait",
            self._name,
            type(error).__name__,
            str(error)[:300],
            self._spool.pending,
        )

    def _run(self) -> None:
        while not self._stopping:
            sent = self.pump()
            with self._changed:
                self._changed.notify_all()  # for flush
                if not sent:
                    self._back_off()
                elif not self._spool.pending and not self._stopping:
                    self._wait(self._changed, None)

    def _back_off(self) -> None:
        """Wait out the delay; new records do not shorten it, `flush` and `close` do."""
        retry_at = self._clock() + self.delay()
        while not self._stopping and not self._hurry:
            left = retry_at - self._clock()
            if left <= 0.0:
                return
            self._wait(self._changed, left)
        self._hurry = False
