import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from vppo_core.archive.database import Database
from vppo_core.archive.job_lists import active_jobs, count_by_phase, expirable_jobs, list_jobs
from vppo_core.archive.jobs import mark_expired, mark_released, patch_job, request_deletion
from vppo_core.archive.records import JobChanges, JobQuery, JobRecord
from vppo_core.spec.status import JobPhase

Match = Callable[[JobRecord], bool]
TEAMS = ("vision", "text", "")
OWNERS = ("ann", "bob", "cas")
QUEUES = ("", "big", "night")
PHASES = (JobPhase.PENDING, JobPhase.RUNNING, JobPhase.FAILED, JobPhase.SUCCEEDED)


@pytest.fixture
def many(life: Any) -> list[JobRecord]:
    """Sixty jobs of all sorts, newest first; some were created at the same moment."""
    rng = random.Random(0)
    found = []
    for number in range(60):
        job = life.job(
            f"{rng.choice(('day', 'night'))}-{number}",
            labels={"team": rng.choice(TEAMS), "size": rng.choice("sml")},
            annotations={"note": rng.choice(("yes", "x" * 5000))},
            scheduling={"queue": rng.choice(QUEUES)},
        )
        if number % 3 == 0:
            life.now -= timedelta(seconds=1)
        record = life.made(job, owner=rng.choice(OWNERS))
        found.append(life.reach(record.uid, rng.choice(PHASES)))
    return sorted(found, key=lambda job: (job.created, job.uid), reverse=True)


def walked(db: Database, query: JobQuery) -> list[JobRecord]:
    found: list[JobRecord] = []
    cursor = None
    while True:
        values = {name: getattr(query, name) for name in JobQuery.__slots__}
        page = list_jobs(db, JobQuery(**{**values, "cursor": cursor}))
        assert len(page.items) <= query.limit
        found.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == query.limit


@pytest.mark.parametrize("limit", [1, 7, 60, 100])
def test_pages_together_hold_every_job_once_newest_first(
    db: Database, many: list[JobRecord], limit: int
) -> None:
    assert walked(db, JobQuery(limit=limit)) == many


def test_an_empty_archive_has_one_empty_page(db: Database) -> None:
    page = list_jobs(db, JobQuery())
    assert (page.items, page.next_cursor) == ((), None)


FILTERS: list[Any] = [
    pytest.param({"owner": "ann"}, lambda job: job.owner == "ann", id="owner"),
    pytest.param({"owner": "a\0b"}, lambda _: False, id="owner-with-nul"),
    pytest.param({"queue": "big"}, lambda job: job.spec.scheduling.queue == "big", id="queue"),
    pytest.param(
        {"phases": (JobPhase.FAILED,)}, lambda job: job.phase is JobPhase.FAILED, id="phase"
    ),
    pytest.param(
        {"phases": (JobPhase.FAILED, JobPhase.RUNNING, JobPhase.FAILED)},
        lambda job: job.phase in (JobPhase.FAILED, JobPhase.RUNNING),
        id="two-phases-one-twice",
    ),
    pytest.param(
        {"labels": (("team", ""),)}, lambda job: job.labels["team"] == "", id="empty-label"
    ),
    pytest.param(
        {"labels": (("team", "vision"), ("size", "m"))},
        lambda job: job.labels == {"team": "vision", "size": "m"},
        id="two-labels",
    ),
    pytest.param(
        {"annotations": (("note", "x" * 5000),)},
        lambda job: job.annotations["note"] != "yes",
        id="long-annotation",
    ),
    pytest.param({"labels": (("note", "yes"),)}, lambda _: False, id="annotation-is-no-label"),
    pytest.param({"name_contains": "GHT-1"}, lambda job: "ght-1" in job.name, id="name"),
    pytest.param({"name_contains": "%"}, lambda _: False, id="name-with-wildcard"),
    pytest.param({"name_contains": "\0"}, lambda _: False, id="name-with-nul"),
    pytest.param(
        {"owner": "bob", "name_contains": "day"},
        lambda job: job.owner == "bob" and "day" in job.name,
        id="owner-and-name",
    ),
    pytest.param(
        {"owner": "cas", "queue": "", "phases": (JobPhase.PENDING, JobPhase.SUCCEEDED)},
        lambda job: (
            job.owner == "cas"
            and job.spec.scheduling.queue == ""
            and job.phase in (JobPhase.PENDING, JobPhase.SUCCEEDED)
        ),
        id="owner-queue-and-two-phases",
    ),
]


@pytest.mark.parametrize(("filters", "matches"), FILTERS)
def test_a_filter_leaves_the_jobs_that_match(
    db: Database, many: list[JobRecord], filters: dict[str, Any], matches: Match
) -> None:
    expected = [job for job in many if matches(job)]
    assert walked(db, JobQuery(limit=4, **filters)) == expected
    assert walked(db, JobQuery(limit=100, **filters)) == expected


@pytest.mark.parametrize("filters", [{}, {"owner": "ann"}, {"phases": PHASES}])
def test_created_after_leaves_the_later_ones(
    db: Database, many: list[JobRecord], filters: dict[str, Any]
) -> None:
    moment = many[20].created
    expected = [
        job for job in many if job.created > moment and job.owner == filters.get("owner", job.owner)
    ]
    assert walked(db, JobQuery(limit=3, created_after=moment, **filters)) == expected


def test_jobs_that_come_meanwhile_do_not_disturb_later_pages(
    db: Database, life: Any, many: list[JobRecord]
) -> None:
    page = list_jobs(db, JobQuery(limit=10))
    life.made("newcomer")
    rest = list_jobs(db, JobQuery(limit=100, cursor=page.next_cursor))
    assert [*page.items, *rest.items] == many


def test_the_queue_of_the_status_wins_over_that_of_the_spec(db: Database, life: Any) -> None:
    record = life.made("first")
    life.reach(record.uid, JobPhase.QUEUED, queue={"name": "default"})
    assert [job.uid for job in list_jobs(db, JobQuery(queue="default")).items] == [record.uid]
    assert list_jobs(db, JobQuery(queue="")).items == ()


def test_the_loop_gets_what_is_not_over_and_what_is_to_be_let_go(db: Database, life: Any) -> None:
    def made(name: str, *, phase: JobPhase, is_deleted: bool, is_released: bool = False) -> str:
        uid: str = life.made(name).uid
        life.reach(uid, phase)
        if is_deleted:
            request_deletion(db, name, actor="ann", now=life.now)
        if is_released:
            mark_released(db, uid, life.now)
        return uid

    made("over", phase=JobPhase.SUCCEEDED, is_deleted=False)
    made("gone", phase=JobPhase.CANCELLED, is_deleted=True, is_released=True)
    leaving = made("leaving", phase=JobPhase.FAILED, is_deleted=True)
    stopping = made("stopping", phase=JobPhase.STOPPING, is_deleted=True)
    paused = made("paused", phase=JobPhase.PAUSED, is_deleted=False)
    assert [job.uid for job in active_jobs(db)] == [leaving, stopping, paused]


def test_files_are_due_when_the_time_to_live_is_over(db: Database, life: Any) -> None:
    short = life.made(life.job("short", ttlSecondsAfterFinished=60))
    shorter = life.made(life.job("shorter", ttlSecondsAfterFinished=30))
    running = life.made(life.job("running", ttlSecondsAfterFinished=0))
    for record, phase in (
        (short, JobPhase.SUCCEEDED),
        (shorter, JobPhase.FAILED),
        (running, JobPhase.RUNNING),
    ):
        life.reach(record.uid, phase)

    def due(seconds: float, limit: int = 10) -> list[str]:
        moment = life.now + timedelta(seconds=seconds)
        return [job.name for job in expirable_jobs(db, moment, limit)]

    assert (due(29), due(30), due(60), due(60, 1)) == (
        [],
        ["shorter"],
        ["shorter", "short"],
        ["shorter"],
    )
    mark_expired(db, shorter.uid, life.now)
    longer = JobChanges(ttl_seconds_after_finished=90)
    patch_job(db, "short", longer, actor="ann", now=life.now)
    assert (due(89), due(90)) == ([], ["short"])


def test_jobs_are_counted_by_phase(life: Any) -> None:
    for name, phase in (("a", JobPhase.FAILED), ("b", JobPhase.FAILED), ("c", JobPhase.RUNNING)):
        life.reach(life.made(name).uid, phase)
    found = count_by_phase(life.db, (JobPhase.FAILED, JobPhase.SUCCEEDED))
    assert found == {JobPhase.FAILED: 2, JobPhase.SUCCEEDED: 0}
