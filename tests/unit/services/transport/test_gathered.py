"""Values are gathered, and none is lost on the way to Ray."""

from vppo_services.transport.gathered import Gathered


class FakeTime:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_counter_is_told_as_its_sum_and_a_gauge_as_its_last_value() -> None:
    gathered, told = Gathered(), []
    counter = gathered.series("tokens", lambda v: told.append(("tokens", v)))
    gauge = gathered.series("running", lambda v: told.append(("running", v)))
    for value in (1.0, 2.0, 3.0):
        counter.add(value)
        gauge.set(value)
    gathered.flush()
    assert told == [("tokens", 6.0), ("running", 3.0)]
    gathered.flush()
    assert len(told) == 2, "nothing is told twice"
    counter.add(4.0)
    gathered.flush()
    assert told[2:] == [("tokens", 4.0)]


def test_a_counter_that_counted_nothing_is_told_as_0() -> None:
    gathered, told = Gathered(), []
    gathered.series("hits", told.append).add(0.0)
    gathered.flush()
    assert told == [0.0]


def test_ray_gets_values_once_a_second() -> None:
    time, told = FakeTime(), []
    gathered = Gathered(time)
    for _ in range(40):
        time.now += 0.1
        gathered.series("tokens", told.append).add(1.0)
        if gathered.is_due:
            gathered.flush()
    assert len(told) in (3, 4)
    gathered.flush()
    assert sum(told) == 40.0
