"""What an attempt says of itself in files, and that no disk can stop it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vppo_services.driver.attempt import Attempt, Ending, next_number
from vppo_services.driver.saved import CheckpointList, SavedCheckpoint

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def saved(step: int, *, attempt: int = 1) -> SavedCheckpoint:
    return SavedCheckpoint(
        step=step,
        uri=f"/run/checkpoints/step-{step:06d}",
        attempt=attempt,
        created=NOON.isoformat(),
        size_bytes=1234,
        metrics={"reward_mean": 0.5},
    )


def progress(folder: Path, number: int = 1) -> Any:
    return json.loads((folder / "attempts" / str(number) / "progress.json").read_text())


def exit_of(folder: Path, number: int = 1) -> Any:
    return json.loads((folder / "attempts" / str(number) / "exit.json").read_text())


def lines_of(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "checkpoints.jsonl").read_text().splitlines()]


def test_an_attempt_says_that_it_starts_from_its_first_moment(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, 3, now=FakeClock())
    assert progress(tmp_path, 3) == {
        "attempt": 3,
        "incarnation": attempt.incarnation,
        "firstStep": None,
        "step": 0,
        "totalSteps": 0,
        "stage": "starting",
        "stageSeconds": {},
        "stepSeconds": None,
        "checkpoint": None,
        "time": "2026-01-02T12:00:00+00:00",
    }


def test_every_start_of_an_attempt_is_another_incarnation(tmp_path: Path) -> None:
    assert Attempt(tmp_path, 1).incarnation != Attempt(tmp_path, 1).incarnation


def test_progress_tells_the_last_step_and_the_mean_of_the_last_ten(tmp_path: Path) -> None:
    clock = FakeClock()
    attempt = Attempt(tmp_path, 1, now=clock)
    attempt.expects(200)
    attempt.starts_from(5, saved(5))
    attempt.enters("sample")
    for step in range(6, 26):
        attempt.did_step(step, {"sample": 1.5, "update": 0.25}, float(step))
    attempt.enters("evaluate")
    clock.now += timedelta(seconds=7)
    attempt.flush()
    told = progress(tmp_path)
    assert (told["firstStep"], told["step"], told["totalSteps"]) == (5, 25, 200)
    assert told["stage"] == "evaluate"
    assert told["stageSeconds"] == {"sample": 1.5, "update": 0.25}
    assert told["stepSeconds"] == sum(range(16, 26)) / 10
    assert told["checkpoint"] == {
        "step": 5,
        "uri": "/run/checkpoints/step-000005",
        "created": NOON.isoformat(),
    }
    assert told["time"] == "2026-01-02T12:00:07+00:00"


def test_without_news_nothing_is_written(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, 1)
    (tmp_path / "attempts" / "1" / "progress.json").unlink()
    attempt.flush()
    assert not (tmp_path / "attempts" / "1" / "progress.json").exists()
    attempt.enters("sample")
    attempt.flush()
    assert progress(tmp_path)["stage"] == "sample"


def test_an_attempt_that_finishes_stays_so(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, 1)
    attempt.finishes()
    attempt.enters("evaluate")
    attempt.flush()
    assert progress(tmp_path)["stage"] == "finishing"


def test_the_end_tells_outcome_steps_and_no_secret(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, 2, now=FakeClock())
    attempt.starts_from(4, saved(4))
    attempt.did_step(5, {}, 1.0)
    message = "s3://me:hunter2@bucket refused " + "x" * 2000
    attempt.ends(Ending("Failed", 13, "Checkpoint", message))
    told = exit_of(tmp_path, 2)
    assert "hunter2" not in told["message"]
    assert len(told.pop("message")) <= 1024
    assert told == {
        "attempt": 2,
        "incarnation": attempt.incarnation,
        "exitCode": 13,
        "outcome": "Failed",
        "failureClass": "Checkpoint",
        "firstStep": 4,
        "lastStep": 5,
        "checkpointStep": 4,
        "ended": "2026-01-02T12:00:00+00:00",
    }
    assert progress(tmp_path, 2)["step"] == 5, "the last progress is on disk as well"


def test_a_checkpoint_is_listed_with_its_size_and_numbers(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, 1)
    attempt.saved(saved(10))
    attempt.flush()
    assert lines_of(tmp_path) == [
        {
            "step": 10,
            "uri": "/run/checkpoints/step-000010",
            "attempt": 1,
            "created": NOON.isoformat(),
            "sizeBytes": 1234,
            "metrics": {"reward_mean": 0.5},
        }
    ]
    assert progress(tmp_path)["checkpoint"]["step"] == 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", [5], id="no-list"),
        pytest.param('{"step": 4}\n', [4, 5], id="killed-before-its-line"),
        pytest.param('{"step": 4}\n{"step": 5}\n', [4, 5], id="listed"),
    ],
)
def test_a_checkpoint_that_a_killed_attempt_did_not_list_is_listed_by_the_next(
    tmp_path: Path, before: str, after: list[int]
) -> None:
    (tmp_path / "checkpoints.jsonl").write_text(before)
    Attempt(tmp_path, 2).starts_from(5, saved(5))
    assert [line["step"] for line in lines_of(tmp_path)] == after


def test_damaged_lines_of_the_list_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "checkpoints.jsonl").write_bytes(b'{"step": 4}\n\xff[]\n3\n{"step": "x"}\n{"st')
    assert CheckpointList(tmp_path).steps() == {4}


def test_a_disk_that_refuses_is_no_reason_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "attempts").write_text("a file in the way")
    (tmp_path / "checkpoints.jsonl").mkdir()
    attempt = Attempt(tmp_path, 1)
    attempt.saved(saved(5))
    attempt.ends(Ending("Succeeded"))
    assert [record.message.split(" ")[0] for record in caplog.records] == [
        "progress.json",
        "the",
        "exit.json",
    ]


def test_attempts_are_numbered_by_their_folders(tmp_path: Path) -> None:
    assert next_number(tmp_path) == 1
    Attempt(tmp_path, 1)
    Attempt(tmp_path, 2)
    (tmp_path / "attempts" / "notes.txt").write_text("no attempt")
    assert next_number(tmp_path) == 3


@pytest.mark.parametrize(
    ("text", "created", "size"),
    [
        pytest.param(b'{"step": 5, "time": 60.0}', "1970-01-01T00:01:00+00:00", 0, id="earlier"),
        pytest.param(b"[]", "1970-01-01T00:00:00+00:00", 0, id="damaged"),
        pytest.param(json.dumps(saved(5).as_json()).encode(), NOON.isoformat(), 1234, id="ours"),
    ],
)
def test_a_complete_file_of_any_version_is_read(text: bytes, created: str, size: int) -> None:
    read = SavedCheckpoint.from_json(text, step=5, uri="/moved/step-000005")
    assert (read.step, read.uri) == (5, "/moved/step-000005")
    assert (read.created, read.size_bytes) == (created, size)
