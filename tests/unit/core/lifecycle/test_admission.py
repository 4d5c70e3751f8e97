"""One job at a time in each pool: holders keep it, then priority, then age."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.lifecycle.admission import Waiting, admit
from vppo_core.spec.platform import PlatformSpec, PoolOffer, QueueOffer

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLATFORM = PlatformSpec(
    pools=(PoolOffer(name="big"), PoolOffer(name="small")),
    queues=(
        QueueOffer(name="day", pool="big"),
        QueueOffer(name="night", pool="big"),
        QueueOffer(name="test", pool="small"),
    ),
)
POOL_OF = {offer.name: offer.pool for offer in PLATFORM.queues}


def waiting(
    uid: str, queue: str = "day", priority: int = 0, age: int = 0, *, holds: bool = False
) -> Waiting:
    return Waiting(
        uid=uid,
        name=f"job-{uid}",
        queue=queue,
        pool=POOL_OF.get(queue, queue),
        priority=priority,
        created=NOON - timedelta(seconds=age),
        holds_pool=holds,
    )


LINES = st.lists(
    st.builds(
        waiting,
        st.uuids().map(str),
        st.sampled_from(sorted(POOL_OF)),
        st.integers(-2, 2),
        st.integers(0, 3),
        holds=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda job: job.uid,
)


@given(LINES)
def test_no_pool_takes_a_second_job(jobs: list[Waiting]) -> None:
    states = admit(jobs, PLATFORM)
    assert set(states) == {job.uid for job in jobs}
    for pool in ("big", "small"):
        here = [job for job in jobs if job.pool == pool]
        admitted = [job for job in here if states[job.uid].is_admitted]
        holders = [job for job in here if job.holds_pool]
        if holders:
            assert admitted == holders
        else:
            assert len(admitted) == min(len(here), 1)


@given(LINES)
def test_positions_follow_priority_then_age_then_uid(jobs: list[Waiting]) -> None:
    states = admit(jobs, PLATFORM)
    for pool in ("big", "small"):
        here = [job for job in jobs if job.pool == pool and not job.holds_pool]
        line = sorted(here, key=lambda job: (-job.priority, job.created, job.uid))
        positions = [states[job.uid].status.position for job in line]
        first = 0 if line and states[line[0].uid].is_admitted else 1
        assert positions == list(range(first, first + len(line)))


@given(LINES, st.randoms())
def test_the_order_of_the_question_does_not_matter(
    jobs: list[Waiting], random: st.DataObject
) -> None:
    shuffled = jobs.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = admit(jobs, PLATFORM), admit(shuffled, PLATFORM)
    standings = [
        {uid: (state.is_admitted, state.status) for uid, state in states.items()}
        for states in (first, second)
    ]
    assert standings[0] == standings[1]


@given(LINES)
def test_whoever_is_admitted_stays_so_when_it_holds_the_pool(jobs: list[Waiting]) -> None:
    states = admit(jobs, PLATFORM)
    held = [
        waiting(job.uid, job.queue, job.priority, holds=states[job.uid].is_admitted) for job in jobs
    ]
    rival = waiting("rival", "day", priority=1_000_000)
    again = admit([*held, rival], PLATFORM)
    for job in jobs:
        assert again[job.uid].is_admitted == states[job.uid].is_admitted
    assert again["rival"].is_admitted is not any(
        states[job.uid].is_admitted for job in jobs if job.pool == "big"
    )


def test_a_waiting_job_knows_what_it_needs_and_who_holds_it() -> None:
    states = admit([waiting("a", holds=True), waiting("b", "night"), waiting("c")], PLATFORM)
    one, other = states["b"], states["c"]
    assert (one.needs, one.blockers) == ("the pool 'big'", ("job-a",))
    assert (one.status.name, one.status.pool, one.status.position) == ("night", "big", 1)
    assert (one.status.reason, other.status.position) == ("WaitingForQuota", 2)
    holder = states["a"]
    assert (holder.status.reason, holder.status.position) == ("Admitted", 0)


@pytest.mark.parametrize("holds", [True, False])
def test_a_pool_that_is_gone_keeps_its_job_and_takes_no_other(holds: bool) -> None:
    state = admit([waiting("a", "gone", holds=holds)], PLATFORM)["a"]
    assert state.is_admitted is holds
    if not holds:
        assert state.trouble == "The platform has no pool 'gone'; it has 'big', 'small'."
        assert state.status.reason == "UnknownPool"


def test_nobody_waits_without_jobs() -> None:
    assert admit([], PLATFORM) == {}
