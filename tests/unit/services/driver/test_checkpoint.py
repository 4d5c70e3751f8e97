"""Saving never stops a run: what fails is counted, and the last good checkpoint stands."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from vppo_core.errors import CheckpointError
from vppo_services.driver.checkpoint import HISTORY, Checkpoints, RunState
from vppo_services.driver.saved import SavedCheckpoint
from vppo_services.driver.store import CheckpointStore
from vppo_services.observability.record import read_steps


class FakeFleet:
    """Learner ranks that write one file; `broken` names what goes wrong, `slow` delays the end."""

    def __init__(self) -> None:
        self.broken = False
        self.slow = False
        self.restored: list[str] = []

    def on_learners(self, method: str, *arguments: Any, step: int) -> list[Any]:
        assert step > 0
        if method == "start_save":
            folder = Path(arguments[0])
            folder.mkdir(parents=True)
            (folder / "shard").write_text("weights")
        if method == "is_saved":
            return [not self.slow]
        if method == "finish_save" and self.broken:
            raise CheckpointError("checkpoint was not written: No space left on device")
        if method == "restore":
            self.restored.append(arguments[0])
        return [None]


class FakeFeed:
    def __init__(self) -> None:
        self.cursor = 0
        self.completed: list[SavedCheckpoint] = []

    def state(self) -> dict[str, int]:
        return {"cursor": self.cursor}

    def restore(self, state: dict[str, int]) -> None:
        self.cursor = state["cursor"]


def state(step: int) -> RunState:
    return RunState(step, [{"step": 0.0, "accuracy": 0.5}], {"update": 1.5}, 10.0)


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Checkpoints, FakeFleet, FakeFeed, CheckpointStore]:
    fleet, feed = FakeFleet(), FakeFeed()
    store = CheckpointStore(str(tmp_path), keep_last=2)
    checkpoints = Checkpoints(
        store,
        fleet,  # type: ignore[arg-type]
        feed,  # type: ignore[arg-type]
        metrics_file=tmp_path / "metrics.jsonl",
        job_json="{}",
        attempt=3,
        on_complete=feed.completed.append,
    )
    return checkpoints, fleet, feed, store


Parts = tuple[Checkpoints, FakeFleet, FakeFeed, CheckpointStore]


def test_a_checkpoint_counts_only_when_the_learner_has_written_its_part(parts: Parts) -> None:
    checkpoints, fleet, _, store = parts
    fleet.slow = True
    checkpoints.start(state(1), [])
    checkpoints.settle(wait=False)
    assert store.steps() == []
    fleet.slow = False
    checkpoints.settle(wait=False)
    assert store.steps() == [1]
    assert checkpoints.last_step == 1


def test_a_full_disk_is_counted_and_the_last_good_checkpoint_stands(
    parts: Parts, tmp_path: Path
) -> None:
    checkpoints, fleet, _, store = parts
    checkpoints.start(state(1), [])
    checkpoints.settle(wait=True)
    fleet.broken = True
    checkpoints.start(state(2), [])
    checkpoints.settle(wait=True)
    assert checkpoints.failures == 1
    assert checkpoints.last_step == 1
    assert store.steps() == [1]
    assert not (tmp_path / "step-000002").exists(), "room is given back"


def test_what_was_saved_comes_back(parts: Parts, tmp_path: Path) -> None:
    checkpoints, fleet, feed, _ = parts
    feed.cursor = 41
    checkpoints.start(state(3), [])
    checkpoints.settle(wait=True)
    feed.cursor = 0
    restored = checkpoints.restore()
    assert restored == (state(3), [])
    assert feed.cursor == 41
    assert fleet.restored == [f"{tmp_path}/step-000003/learner"]


def test_the_curve_survives_the_run_folder(parts: Parts, tmp_path: Path) -> None:
    """The operator's copy lacks step 2, whose checkpoint was complete when the machine died."""
    checkpoints, *_ = parts
    curve = tmp_path / "metrics.jsonl"
    curve.write_text('{"step": 1, "reward_mean": 0.5}\n{"step": 2, "reward_mean": 0.75}\n')
    checkpoints.start(state(2), [])
    with curve.open("a") as file:
        file.write('{"step": 3}\n')
    checkpoints.settle(wait=True)
    curve.write_text('{"step": 1, "reward_mean": 0.5}\n')
    checkpoints.restore()
    assert read_steps(curve) == [
        {"step": 1, "reward_mean": 0.5},
        {"step": 2, "reward_mean": 0.75},
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no gzip", id="something-else"),
        pytest.param(gzip.compress(b'{"step": 1}\n')[:20], id="cut-short"),
    ],
)
def test_a_checkpoint_whose_curve_is_missing_or_damaged_is_restored_without_it(
    parts: Parts, tmp_path: Path, content: bytes | None
) -> None:
    checkpoints, *_ = parts
    curve = tmp_path / "metrics.jsonl"
    curve.write_text('{"step": 1}\n')
    checkpoints.start(state(1), [])
    checkpoints.settle(wait=True)
    kept = tmp_path / "step-000001" / HISTORY
    kept.unlink() if content is None else kept.write_bytes(content)
    assert checkpoints.restore() == (state(1), [])
    assert curve.read_text() == '{"step": 1}\n'


def test_a_run_without_a_complete_checkpoint_starts_anew(parts: Parts) -> None:
    checkpoints, *_ = parts
    assert checkpoints.restore() is None
    assert checkpoints.newest() is None


def test_a_complete_checkpoint_is_told_once_with_the_numbers_known_by_then(
    parts: Parts, tmp_path: Path
) -> None:
    checkpoints, fleet, feed, _ = parts
    numbers = {"reward_mean": 0.5}
    fleet.slow = True
    checkpoints.start(state(4), [], numbers)
    checkpoints.settle(wait=False)
    assert feed.completed == []
    numbers["evaluation_accuracy"] = 0.75
    checkpoints.settle(wait=True)
    checkpoints.settle(wait=True)
    [told] = feed.completed
    assert (told.step, told.attempt, told.uri) == (4, 3, f"{tmp_path}/step-000004")
    assert told.metrics == {"reward_mean": 0.5, "evaluation_accuracy": 0.75}
    assert told.size_bytes > len("weights")
    assert checkpoints.newest() == told, "its own file says the same"


def test_a_checkpoint_that_failed_is_not_told(parts: Parts) -> None:
    checkpoints, fleet, feed, _ = parts
    fleet.broken = True
    checkpoints.start(state(1), [])
    checkpoints.settle(wait=True)
    assert feed.completed == []
