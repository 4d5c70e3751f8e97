import json
import logging
import pickle
from pathlib import Path

import pytest

from vppo_core.errors import QuarantineLimitError
from vppo_services.data.quarantine import Quarantine
from vppo_services.data.rows import BadReason, BadRowError


def bad(uid: object, reason: BadReason = BadReason.CORRUPT_IMAGE) -> BadRowError:
    return BadRowError(str(uid), reason, "found broken")


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def see(quarantine: Quarantine, good: int, first: int = 0) -> None:
    for uid in range(first, first + good):
        quarantine.saw_good(str(uid))


def test_each_bad_row_is_one_line_and_one_count(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "run" / "bad.jsonl", 0.5)
    see(quarantine, 20)
    for error in (bad("a"), bad("b", BadReason.TOO_LONG), bad("a"), bad("c")):
        quarantine.set_aside(error, source="set")

    assert [line["uid"] for line in lines(quarantine.path)] == ["a", "b", "c"]
    assert lines(quarantine.path)[0] == {
        "source": "set", "uid": "a", "reason": "corrupt_image", "detail": "found broken",
    }  # fmt: skip
    assert quarantine.counts == {BadReason.CORRUPT_IMAGE: 2, BadReason.TOO_LONG: 1}
    assert quarantine.seen == 23


def test_the_same_uid_of_two_sources_is_two_rows(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 1.0)
    quarantine.set_aside(bad(1), source="train")
    quarantine.set_aside(bad(1), source="test")

    assert len(lines(quarantine.path)) == 2
    assert quarantine.seen == 2


def test_the_job_stops_above_the_share_with_its_reasons(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 0.05)
    see(quarantine, 38)
    quarantine.set_aside(bad("a"))
    quarantine.set_aside(bad("b", BadReason.TOO_LONG))

    with pytest.raises(QuarantineLimitError) as caught:
        quarantine.set_aside(bad("c"))

    assert "allows 0.05 of the rows" in str(caught.value)
    assert "3 of 41 (corrupt_image 2, too_long 1)" in str(caught.value)
    assert len(lines(quarantine.path)) == 3


def test_a_share_of_few_rows_says_nothing(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 0.05)
    for uid in range(19):
        quarantine.set_aside(bad(uid))

    with pytest.raises(QuarantineLimitError, match="19 of 20"):
        quarantine.saw_good("19")


def test_rows_seen_again_do_not_count_again(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 0.05)
    for visit in range(9):
        for uid in range(10):
            quarantine.saw_good(str(uid), visit)
        quarantine.set_aside(bad("a"))

    assert quarantine.seen == 11


def test_a_small_set_of_bad_rows_only_does_not_go_on_for_ever(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 1.0)
    quarantine.set_aside(bad("a"))
    quarantine.set_aside(bad("b"))

    with pytest.raises(QuarantineLimitError, match="2 of 2"):
        quarantine.set_aside(bad("a"))


def test_a_share_of_zero_stops_at_the_first_bad_row(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 0.0)
    see(quarantine, 30)

    with pytest.raises(QuarantineLimitError, match="1 of 31"):
        quarantine.set_aside(bad("a"))


def test_a_disk_that_refuses_the_line_does_not_stop_the_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    quarantine = Quarantine(tmp_path / "file" / "bad.jsonl", 1.0)

    with caplog.at_level(logging.WARNING):
        quarantine.set_aside(bad("a"))

    assert quarantine.counts == {BadReason.CORRUPT_IMAGE: 1}
    assert quarantine.write_errors == 1
    assert "not written" in caplog.text


def test_a_full_disk_does_not_stop_the_job(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 1.0)
    quarantine.path.symlink_to("/dev/full")
    quarantine.set_aside(bad("a"))

    assert quarantine.write_errors == 1


def test_a_restored_quarantine_counts_on_and_writes_no_line_twice(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    first = Quarantine(path, 0.5)
    see(first, 20)
    first.set_aside(bad("a"))
    state = json.loads(json.dumps(first.state()))
    first.set_aside(bad("b", BadReason.TOO_LONG))  # after the checkpoint, before the crash
    with path.open("a") as file:
        file.write('{"uid": "c", "sour')

    second = Quarantine(path, 0.5)
    second.restore(state)
    assert second.state() == state
    for error in (bad("a"), bad("b", BadReason.TOO_LONG), bad("c")):
        second.set_aside(error)

    assert second.counts == {BadReason.CORRUPT_IMAGE: 2, BadReason.TOO_LONG: 1}
    kept = [line for line in path.read_text().splitlines() if not line.endswith('"sour')]
    assert [json.loads(line)["uid"] for line in kept] == ["a", "b", "c"]


def test_a_bad_row_crosses_a_process_boundary_unchanged() -> None:
    error = pickle.loads(pickle.dumps(bad("a")))

    assert (error.uid, error.reason, error.detail) == ("a", BadReason.CORRUPT_IMAGE, "found broken")
    assert str(error) == "row a is set aside (corrupt_image): found broken"
