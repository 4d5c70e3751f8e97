"""The log of a role's process: for the driver, and as JSON in a file of its own."""

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from vppo_services.transport.role_log import LOG_FIELDS, RoleLog, log_environment

log = logging.getLogger("vppo_services.test_role_log")


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)


def written(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_line_names_job_attempt_role_and_step(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = log_environment(job="demo", attempt=2, request="build-7", namespace="")
    monkeypatch.setenv(LOG_FIELDS, environment[LOG_FIELDS])
    stream = io.StringIO()
    role_log = RoleLog("rollout", 1, stream)
    log.info("it loads")
    [line] = role_log.take(5)
    assert (line.role, line.step, line.message) == ("rollout-1", None, "it loads")

    thread = threading.Thread(target=lambda: log.warning("it samples"))
    thread.start()
    thread.join()
    [line] = role_log.take(6)
    assert (line.role, line.step) == ("rollout-1", 5), "whatever thread says it"
    last = written(stream)[-1]
    names = ("job", "attempt", "role", "step", "request")
    assert [last[name] for name in names] == ["demo", 2, "rollout-1", 5, "build-7"]


def test_libraries_are_heard_from_a_warning_on() -> None:
    role_log = RoleLog("learner", 0, io.StringIO())
    library = logging.getLogger("somebody.else")
    library.setLevel(logging.INFO)
    library.info("chatter")
    library.warning("trouble")
    assert [line.message for line in role_log.take(1)] == ["trouble"]


def test_it_says_when_the_process_is_ready() -> None:
    role_log = RoleLog("learner", 0, io.StringIO())
    role_log.ready("the model is loaded on cpu")
    [line] = role_log.take(1)
    assert line.message.startswith("the model is loaded on cpu after ")
    assert line.level == logging.INFO


@pytest.mark.parametrize("text", ["", "no json", "[1]", "null"])
def test_without_fields_of_the_attempt_it_works_too(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(LOG_FIELDS, text)
    stream = io.StringIO()
    RoleLog("reward", 0, stream)
    log.info("here")
    [line] = written(stream)
    assert (line["role"], line["job"], line["attempt"]) == ("reward-0", None, None)
