"""Lines that cross processes keep their time, role and step, and bring no secret along."""

import io
import logging
import pickle
from collections.abc import Iterator

import pytest

from tests.unit.core.logs.test_lines import lines, listen
from vppo_core.logs import CarriedLine, LineKeeper, retell
from vppo_core.logs.carrying import MOST_LINES

log = logging.getLogger("vppo_services.test_carrying")


@pytest.fixture
def keeper() -> Iterator[LineKeeper]:
    keeper = LineKeeper("rollout-1")
    log.addHandler(keeper)
    log.setLevel(logging.INFO)
    log.propagate = False
    yield keeper
    log.removeHandler(keeper)
    log.propagate = True
    log.setLevel(logging.NOTSET)


def retold(taken: list[CarriedLine]) -> io.StringIO:
    stream = listen()
    log.propagate = True
    retell(taken)
    return stream


def test_lines_are_told_again_with_what_they_are_about(keeper: LineKeeper) -> None:
    log.info("it loads")
    keeper.step = 3
    log.warning("one of %d answers", 4)
    taken = pickle.loads(pickle.dumps(keeper.take()))
    assert keeper.take() == [], "each line is taken once"
    first, second = lines(retold(taken))
    assert (first["role"], first["step"], first["message"]) == ("rollout-1", None, "it loads")
    assert (second["role"], second["step"]) == ("rollout-1", 3)
    assert (second["level"], second["message"]) == ("warning", "one of 4 answers")
    assert second["logger"] == "vppo_services.test_carrying"


def test_a_line_keeps_its_own_time_and_processes_are_put_in_order() -> None:
    late = CarriedLine(1_000_000_001.5, logging.INFO, log.name, "reward-0", 2, "late")
    early = CarriedLine(1_000_000_000.25, logging.INFO, log.name, "learner-0", 2, "early")
    told = lines(retold([late, early]))
    assert [line["message"] for line in told] == ["early", "late"]
    assert told[0]["time"] == "2001-09-09T01:46:40.250+00:00"


def test_a_traceback_comes_along_and_a_secret_does_not(keeper: LineKeeper) -> None:
    try:
        raise ValueError("planted")
    except ValueError:
        log.exception("https://me:hunter22@example.com failed")
    [line] = keeper.take()
    assert "Traceback" in line.message
    assert "ValueError: planted" in line.message
    assert "hunter22" not in line.message


def test_more_than_a_process_keeps_are_counted(keeper: LineKeeper) -> None:
    for number in range(MOST_LINES + 7):
        log.info("%d", number)
    first, *rest = keeper.take()
    assert first.message.startswith("7 earlier lines of this step are left out")
    assert [line.message for line in rest] == [str(n) for n in range(7, MOST_LINES + 7)]
    log.info("next")
    assert [line.message for line in keeper.take()] == ["next"]


def test_a_percent_sign_is_only_a_sign(keeper: LineKeeper) -> None:
    log.info("%s", "100 %s sure")
    assert lines(retold(keeper.take()))[0]["message"] == "100 %s sure"


def test_what_this_process_does_not_want_to_hear_is_not_told(keeper: LineKeeper) -> None:
    log.info("quiet")
    taken = keeper.take()
    log.setLevel(logging.WARNING)
    stream = listen()
    log.propagate = True
    retell(taken)
    assert stream.getvalue() == ""
