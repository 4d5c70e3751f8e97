import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from vppo_services.driver.progress import ProgressView
from vppo_services.observability.logging import configure, set_step, step_context

log = logging.getLogger("vppo_services.test")


@pytest.fixture(autouse=True)
def _restore_the_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in [h for h in root.handlers if h not in before]:
        root.removeHandler(handler)
        handler.close()


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_every_line_of_the_file_names_job_attempt_role_and_step(tmp_path: Path) -> None:
    configure(tmp_path, job="demo", attempt=2, role="learner", stream=io.StringIO())
    with step_context(7):
        log.info("updated %d rows", 3)
    log.info("done")
    first, second = lines(tmp_path)
    assert first["message"] == "updated 3 rows"
    assert (first["job"], first["attempt"], first["role"], first["step"]) == (
        "demo",
        2,
        "learner",
        7,
    )
    assert second["step"] is None
    assert str(first["time"]).endswith("+00:00")


def test_people_read_short_lines(tmp_path: Path) -> None:
    stream = io.StringIO()
    configure(None, job="demo", stream=stream)
    with step_context(0):
        set_step(3)
        log.info("sampling")
    log.warning("slow")
    info, warning = stream.getvalue().splitlines()
    assert info.partition(" ")[2] == "driver step 3: sampling"
    assert warning.partition(" ")[2] == "driver: warning: slow"
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_redacted_in_texts_arguments_and_exceptions(tmp_path: Path) -> None:
    stream = io.StringIO()
    configure(tmp_path, job="demo", stream=stream)
    try:
        raise RuntimeError("GET https://h/x?token=s3cret failed")
    except RuntimeError:
        log.exception("at %s", "https://me:pa55@host/")
    for text in (stream.getvalue(), (tmp_path / "log.jsonl").read_text()):
        assert "s3cret" not in text
        assert "pa55" not in text
        assert "RuntimeError" in text


def test_libraries_are_heard_only_when_it_is_serious(tmp_path: Path) -> None:
    configure(tmp_path, job="demo", stream=io.StringIO())
    library = logging.getLogger("some_library")
    library.setLevel(logging.INFO)
    library.info("chatter")
    library.error("broken")
    assert [line["message"] for line in lines(tmp_path)] == ["broken"]


def test_configuring_again_replaces_the_set_up(tmp_path: Path) -> None:
    for _ in range(2):
        configure(tmp_path, job="demo", stream=io.StringIO())
    log.info("once")
    assert len(lines(tmp_path)) == 1


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stream = io.StringIO()
    configure(tmp_path / "file" / "run", job="demo", stream=stream)
    log.info("still heard")
    assert "still heard" in stream.getvalue()


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    stream = io.StringIO()
    configure(tmp_path, job="demo", stream=stream)
    log.info("still heard")
    assert "still heard" in stream.getvalue()


def test_what_the_progress_view_says_is_in_the_log_and_not_said_twice(tmp_path: Path) -> None:
    stream = io.StringIO()
    configure(tmp_path, job="demo", level=logging.WARNING, stream=stream)
    with ProgressView(3, quiet=True) as view:
        view.say("step 1/3  accuracy 0.5  [dim]2.0 s[/dim]")
    assert [line["message"] for line in lines(tmp_path)] == ["step 1/3  accuracy 0.5  2.0 s"]
    configure(tmp_path, job="demo", stream=stream)
    with ProgressView(3, quiet=True) as view:
        view.say("again")
    assert stream.getvalue() == ""
