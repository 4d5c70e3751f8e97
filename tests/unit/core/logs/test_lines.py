"""Log lines: what they are about, in both forms, and that no secret stands in them."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from vppo_core.logs import HumanFormatter, about, note, noted, send_to, step_context
from vppo_core.logs.sending import LOG_FORMATS

log = logging.getLogger("vppo_operator.test")


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
    root.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def listen(style: str = "json", stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    send_to(stream, role="operator", style=style, level=logging.INFO, only_ours=True)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_what_it_is_about() -> None:
    stream = listen()
    with about(namespace="team", job="demo", request=None):
        note(attempt=2, request="build-7")
        with step_context(5):
            log.info("it %s", "trains")
    log.warning("alone")
    inside, outside = lines(stream)
    assert inside["message"] == "it trains"
    names = ("role", "namespace", "job", "attempt", "step", "request")
    assert [inside[name] for name in names] == ["operator", "team", "demo", 2, 5, "build-7"]
    assert [outside.get(name) for name in names] == ["operator", None, None, None, None, None]
    assert {"job", "attempt", "role", "step"} <= outside.keys()


def test_what_a_thread_notes_is_known_to_the_block_that_it_works_for() -> None:
    with about(request="build-7"):
        context = copy_context()
        worker = threading.Thread(target=context.run, args=(lambda: note(job="demo"),))
        worker.start()
        worker.join()
        assert dict(noted()) == {"request": "build-7", "job": "demo"}
    assert dict(noted()) == {}


def test_blocks_of_other_threads_are_not_mixed() -> None:
    seen = []

    def work(name: str) -> None:
        with about(job=name):
            barrier.wait(5)
            seen.append(noted()["job"])

    barrier = threading.Barrier(2)
    workers = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(seen) == ["a", "b"]


def test_outside_of_a_block_a_note_is_lost_and_a_strange_field_refused() -> None:
    note(job="demo")
    assert dict(noted()) == {}
    with pytest.raises(LookupError, match="'token'"):
        note_in_block(token="x")


def note_in_block(**fields: object) -> None:
    with about():
        note(**fields)


@pytest.mark.parametrize(
    ("style", "stream", "is_json"),
    [
        ("auto", Terminal(), False),
        ("auto", io.StringIO(), True),
        ("json", Terminal(), True),
        ("text", io.StringIO(), False),
    ],
)
def test_people_sit_at_terminals(style: str, stream: io.StringIO, is_json: bool) -> None:
    listen(style, stream)
    with about(job="demo", request="build-7"):
        log.warning("slow")
    assert stream.getvalue().startswith("{") is is_json
    if not is_json:
        line = stream.getvalue().strip()
        assert line.partition(" ")[2] == "operator job demo: warning: slow [build-7]"


def test_a_format_is_one_of_three() -> None:
    assert set(LOG_FORMATS) == {"auto", "json", "text"}
    with pytest.raises(ValueError, match="yaml"):
        listen("yaml")


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-s3cr3t",
        "{'authorization': 'Bearer s3cr3t-s3cr3t'}",
        "GET /jobs?token=s3cr3t-s3cr3t",
        '{"secret": "s3cr3t-s3cr3t"}',
        "postgresql://vppo:s3cr3t-s3cr3t@db/vppo",
        "OPERATOR_API_KEY=s3cr3t-s3cr3t",
    ],
)
def test_no_secret_is_written(style: str, text: str) -> None:
    stream = listen(style)
    log.info(text)
    log.warning("got %s", text)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        log.exception("failed")
    assert "s3cr3t" not in stream.getvalue()
    assert stream.getvalue().count("redacted") >= 3


def test_setting_up_again_replaces_the_set_up() -> None:
    listen()
    stream = listen()
    log.info("once")
    assert len(lines(stream)) == 1


def test_a_text_of_several_lines_is_one_json_line() -> None:
    stream = listen()
    log.info("one\ntwo")
    assert [line["message"] for line in lines(stream)] == ["one\ntwo"]


def test_a_short_line_for_people_has_time_and_role() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "done", (), None)
    assert HumanFormatter("api").format(record)[8:] == " api: done"
