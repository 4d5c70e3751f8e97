"""Tells the operator what the attempt does, and hears from it that it should stop.

One thread beside the training. Whatever happens to the operator, to the network or to the courier
itself, training goes on: what could not be sent is sent later.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from vppo_core.runs.files import StopFile, write_json
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import Report
from vppo_services.driver.mirror import Mirror
from vppo_services.driver.receiver import AwayError, GoneError, Receiver

_log = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 5.0
FLUSH_SECONDS: Final = 60.0
_MAX_PAUSE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5
_GONE_ROUNDS: Final = 3
"""An operator that starts may take a moment to know its jobs; a deleted one stays unknown."""

_GRACE: Final = timedelta(minutes=5)


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Courier:
    """Reports an attempt every few seconds, sooner where there is news that cannot wait."""

    def __init__(
        self,
        receiver: Receiver,
        run: RunFolder,
        attempt: int,
        *,
        incarnation: str,
        interval_seconds: float = INTERVAL_SECONDS,
        stop: Callable[[], None] = _terminate,
    ) -> None:
        """Nothing is sent yet.

        Args:
            incarnation: of the driver.
            interval_seconds: between two reports; failures double it, up to a minute.
            stop: asks this process to save and end; called once at most.
        """
        self._receiver = receiver
        self._run = run
        self._attempt = attempt
        self._incarnation = incarnation
        self._interval = interval_seconds
        self._stop = stop
        self._mirror = Mirror(run.path, attempt)
        self._was_stopped = False
        self._failures = 0
        self._gone = 0
        self._closing = threading.Event()
        self._until = 0.0
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)

    def start(self) -> None:
        """Report from now on."""
        self._thread.start()

    def close(self, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Deliver what there is, the exit included, then stop reporting; waits at most that long.

        A round that is on its way when the time is over ends by itself.
        """
        self._until = time.monotonic() + timeout_seconds
        self._closing.set()
        self._thread.join(timeout_seconds + 1.0)
        if self._thread.is_alive():
            _log.warning("the operator did not get the last files of the attempt")

    def round(self, *, bulk_seconds: float = INTERVAL_SECONDS) -> bool:
        """One report, and the files that the operator lacks; whether it has all of them now."""
        try:
            snapshot = self._mirror.look()
            reply = self._receiver.report(
                Report(incarnation=self._incarnation, files=snapshot.sizes)
            )
            self._gone = 0
            if reply.stop is not None:
                self._asked_to_stop(reply.stop)
            is_done = self._mirror.deliver(
                self._receiver, snapshot, reply, bulk_seconds=bulk_seconds
            )
        except GoneError as error:
            self._is_gone(error)
            return False
        except AwayError as error:
            self._failed(str(error))
            return False
        except Exception as error:
            # The one place where anything is caught: a report must never end a training.
            self._failed(f"{type(error).__name__}: {error}")
            return False
        if self._failures:
            _log.info("the operator answers again, after %d failures", self._failures)
        self._failures = 0
        return is_done

    @property
    def pause_seconds(self) -> float:
        """Time until the next report, after those that failed."""
        return min(_MAX_PAUSE_SECONDS, self._interval * 2.0 ** min(self._failures, 10))

    def _work(self) -> None:
        while not self._closing.is_set():
            before = self._urgent()  # what changes during the round may be no part of it
            self.round(bulk_seconds=self._interval)
            self._pause(before)
        while not self.round(bulk_seconds=(self._until - time.monotonic()) / 2):
            if self._gone or time.monotonic() + 1.0 >= self._until:
                break
            time.sleep(min(1.0, self._interval))
        self._receiver.close()

    def _pause(self, before: tuple[int, int]) -> None:
        """Wait for the next report; a checkpoint or the end of the attempt is told at once."""
        until = time.monotonic() + self.pause_seconds
        while (left := until - time.monotonic()) > 0:
            if self._closing.wait(min(left, _LOOK_SECONDS)):
                return
            if not self._failures and self._urgent() != before:
                return

    def _urgent(self) -> tuple[int, int]:
        return _modified(self._run.checkpoint_lines), _modified(self._run.exit(self._attempt))

    def _asked_to_stop(self, stop: StopFile) -> None:
        if self._was_stopped:
            return
        self._was_stopped = True
        _log.warning("the operator asks the attempt to stop: %s", stop.reason)
        try:
            told = stop.model_copy(update={"is_signalled": True})
            write_json(self._run.stop(self._attempt), told)
        except OSError as error:
            _log.warning("the request to stop was not written down: %s", error)
        self._stop()

    def _is_gone(self, error: GoneError) -> None:
        self._gone += 1
        if self._gone >= _GONE_ROUNDS:
            now = datetime.now(UTC)
            _log.warning("the job was deleted: %s", error)
            self._asked_to_stop(StopFile(reason="Deleted", requested=now, deadline=now + _GRACE))

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures == 1:  # once, until it answers again
            _log.warning(
                "the operator cannot be told how far this is, training goes on: %s", reason
            )


def _modified(path: os.PathLike[str]) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
