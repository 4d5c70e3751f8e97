from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from vppo_core.archive.checkpoints import (
    checkpoints_of,
    record_checkpoint,
    set_checkpoint_deleted,
    set_promoted,
)
from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.records import CheckpointRecord


@pytest.fixture
def uid(life: Any) -> str:
    return str(life.made("first").uid)


@pytest.fixture
def saved(db: Database, life: Any, uid: str) -> list[CheckpointRecord]:
    """Three checkpoints, recorded in another order than that of their steps."""
    made = [
        CheckpointRecord(
            step=step,
            uri=f"runs/{step}",
            attempt=1,
            size_bytes=5_000_000_000,
            created=life.now,
            metrics={"reward_mean": 0.25},
        )
        for step in (10, 20, 30)
    ]
    for checkpoint in reversed(made):
        record_checkpoint(db, uid, checkpoint)
    return made


def test_checkpoints_come_in_the_order_of_their_steps(
    db: Database, uid: str, saved: list[CheckpointRecord]
) -> None:
    assert checkpoints_of(db, uid) == saved
    assert checkpoints_of(db, "no-such-uid") == []


def test_a_deleted_checkpoint_is_shown_on_demand_only(
    db: Database, life: Any, uid: str, saved: list[CheckpointRecord]
) -> None:
    gone = set_checkpoint_deleted(db, uid, 20, life.now)
    assert gone == replace(saved[1], deleted=life.now)
    assert checkpoints_of(db, uid) == [saved[0], saved[2]]
    assert checkpoints_of(db, uid, with_deleted=True) == [saved[0], gone, saved[2]]


def test_reporting_a_deleted_checkpoint_again_does_not_bring_it_back(
    db: Database, life: Any, uid: str, saved: list[CheckpointRecord]
) -> None:
    set_checkpoint_deleted(db, uid, 20, life.now)
    record_checkpoint(db, uid, saved[1])
    assert checkpoints_of(db, uid) == [saved[0], saved[2]]


def test_a_later_checkpoint_of_the_same_step_takes_its_place(
    db: Database, life: Any, uid: str, saved: list[CheckpointRecord]
) -> None:
    set_promoted(db, uid, 20)
    set_checkpoint_deleted(db, uid, 20, life.now)
    again = replace(saved[1], attempt=2, created=life.now + timedelta(minutes=5))
    expected = replace(again, is_promoted=True)
    assert record_checkpoint(db, uid, again) == expected
    assert checkpoints_of(db, uid)[1] == expected


def test_a_promoted_checkpoint_stays_promoted_when_it_is_reported_again(
    db: Database, uid: str, saved: list[CheckpointRecord]
) -> None:
    promoted = set_promoted(db, uid, 30)
    assert promoted == replace(saved[2], is_promoted=True)
    assert record_checkpoint(db, uid, saved[2]) == promoted
    assert checkpoints_of(db, uid)[2] == promoted


@pytest.mark.parametrize("step", [15, 20])
def test_what_is_not_there_is_neither_promoted_nor_deleted(
    db: Database, life: Any, uid: str, saved: list[CheckpointRecord], step: int
) -> None:
    set_checkpoint_deleted(db, uid, saved[1].step, life.now)
    with pytest.raises(JobNotFoundError, match=f"got step {step}"):
        set_promoted(db, uid, step)
    with pytest.raises(JobNotFoundError, match=f"got step {step}"):
        set_checkpoint_deleted(db, uid, step, life.now)
