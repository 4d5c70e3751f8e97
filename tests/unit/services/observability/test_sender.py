import threading
from pathlib import Path

from vppo_services.observability.sender import RefusedError, Sender
from vppo_services.observability.spool import Record, Spool


class FakeReceiver:
    """Takes up to `at_most` records a call; away while `failures` last."""

    def __init__(self, *, failures: int = 0, at_most: int = 1000, poison: int = -1) -> None:
        self.failures = failures
        self.at_most = at_most
        self.poison = poison
        self.got: list[int] = []
        self.complete = threading.Event()

    def send(self, records: list[Record]) -> int:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("nobody listens")
        if records[0]["n"] == self.poison:
            raise RefusedError("never")
        taken = [r["n"] for r in records[: self.at_most] if r["n"] != self.poison]
        self.got += taken
        if self.got and self.got[-1] == 9:
            self.complete.set()
        return len(taken)


class FakeTime:
    """Waiting is instantaneous, and remembered; waiting for ever is real."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        if seconds is None:
            condition.wait()
        else:
            self.waits.append(seconds)
            self.now += seconds


def spool_of(folder: Path, count: int = 10) -> Spool:
    spool = Spool(folder, max_bytes=2**20)
    for n in range(count):
        spool.append({"n": n})
    return spool


def test_records_go_out_in_order_whatever_part_of_a_batch_is_taken(tmp_path: Path) -> None:
    receiver = FakeReceiver(at_most=3)
    spool = spool_of(tmp_path)
    sender = Sender(spool, receiver.send, name="fake")
    while spool.pending:
        assert sender.pump()
    assert receiver.got == list(range(10))


def test_a_failure_keeps_the_records(tmp_path: Path) -> None:
    receiver = FakeReceiver(failures=1)
    spool = spool_of(tmp_path)
    sender = Sender(spool, receiver.send, name="fake")
    assert not sender.pump()
    assert spool.pending == 10
    assert sender.pump()
    assert receiver.got == list(range(10))


def test_a_refused_record_is_dropped_alone(tmp_path: Path) -> None:
    receiver = FakeReceiver(poison=4, at_most=4)
    spool = spool_of(tmp_path)
    sender = Sender(spool, receiver.send, name="fake")
    while spool.pending:
        assert sender.pump()
    assert receiver.got == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert spool.dropped == 1


def test_delays_double_up_to_ten_seconds(tmp_path: Path) -> None:
    receiver = FakeReceiver(failures=9)
    sender = Sender(spool_of(tmp_path), receiver.send, name="fake")
    delays = []
    while not sender.pump():
        delays.append(sender.delay())
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]


def test_the_thread_repeats_after_the_delay_until_all_is_delivered(tmp_path: Path) -> None:
    receiver, time = FakeReceiver(failures=3), FakeTime()
    sender = Sender(
        spool_of(tmp_path), receiver.send, name="fake", wait=time.wait, clock=time.clock
    )
    sender.start()
    assert receiver.complete.wait(10.0)
    sender.close()
    assert time.waits == [0.5, 1.0, 2.0]
    assert receiver.got == list(range(10))


def test_records_appended_later_are_sent_without_a_delay(tmp_path: Path) -> None:
    receiver = FakeReceiver()
    spool = spool_of(tmp_path, count=0)
    sender = Sender(spool, receiver.send, name="fake")
    sender.start()
    for n in range(10):
        spool.append({"n": n})
        sender.wake()
    assert receiver.complete.wait(10.0)
    sender.close()
    assert receiver.got == list(range(10))


def test_flush_waits_for_the_delivery(tmp_path: Path) -> None:
    receiver = FakeReceiver(at_most=2)
    spool = spool_of(tmp_path)
    sender = Sender(spool, receiver.send, name="fake")
    sender.start()
    assert sender.flush(10.0)
    assert spool.pending == 0
    sender.close()


def test_flush_gives_up_when_the_receiver_stays_away(tmp_path: Path) -> None:
    receiver, time = FakeReceiver(failures=10**9), FakeTime()
    spool = spool_of(tmp_path)
    sender = Sender(spool, receiver.send, name="fake", clock=time.clock, wait=time.wait)
    sender.start()
    assert not sender.flush(60.0)
    sender.close()
    assert spool.pending == 10
    assert time.now >= 60.0


def test_flush_waits_longer_for_a_receiver_that_takes_what_it_is_sent(tmp_path: Path) -> None:
    time = FakeTime()

    def slow(_: list[Record]) -> int:
        time.now += 50.0
        return 1

    spool = spool_of(tmp_path, count=4)
    sender = Sender(spool, slow, name="fake", clock=time.clock)
    sender.start()
    assert sender.flush(60.0, busy_seconds=900.0)
    sender.close()


def test_flush_does_not_wait_longer_for_one_that_is_away(tmp_path: Path) -> None:
    receiver, time = FakeReceiver(failures=10**9), FakeTime()
    sender = Sender(
        spool_of(tmp_path), receiver.send, name="fake", clock=time.clock, wait=time.wait
    )
    assert not sender.pump()
    sender.start()
    assert not sender.flush(60.0, busy_seconds=10**6)
    sender.close()
    assert time.now < 10**5
