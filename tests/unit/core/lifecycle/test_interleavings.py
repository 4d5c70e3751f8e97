"""Users, drivers, crashes and clocks in any order: what must hold whatever happens."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from vppo_core.lifecycle.actions import Plan, RequestStop
from vppo_core.spec.scheduling import DesiredState
from vppo_core.spec.status import ConditionType, FailureClass, Outcome

FAILURES = sorted(FailureClass)
STEPS_FORWARD = [0.5, 7, 61, 301, 1900, 90_000]
STEPS_BACK = [-3, -400, -90_000]


class Interleavings(RuleBasedStateMachine):
    """Rules are what the surroundings may do; invariants are looked at after each of them."""

    world_of: Any = None

    @initialize(
        budget=st.integers(1, 3),
        active=st.none() | st.sampled_from([60, 4000]),
        pending=st.none() | st.sampled_from([60, 4000]),
        wanted=st.sampled_from(["Running", "Running", "Paused"]),
    )
    def submit(self, budget: int, active: int | None, pending: int | None, wanted: str) -> None:
        fields = {
            "desiredState": wanted,
            "scheduling": {"maxAttempts": budget},
            "activeDeadlineSeconds": active,
            "pendingDeadlineSeconds": pending,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        self.world = type(self).world_of(given)

    @rule(wanted=st.sampled_from(sorted(DesiredState)))
    def want(self, wanted: DesiredState) -> None:
        self.world.patch(desired_state=wanted)

    @precondition(lambda self: self.world.spec.active_deadline_seconds is not None)
    @rule()
    def raise_the_deadline(self) -> None:
        self.world.patch(active_deadline_seconds=self.world.spec.active_deadline_seconds + 4000)

    @rule()
    def delete(self) -> None:
        self.world.delete()

    @rule(is_admitted=st.booleans())
    def admit(self, is_admitted: bool) -> None:
        self.world.is_admitted = is_admitted

    @rule(seconds=st.sampled_from(STEPS_FORWARD))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(seconds)

    @rule(seconds=st.sampled_from(STEPS_BACK))
    def the_clock_goes_back(self, seconds: float) -> None:
        self.world.tick(seconds)

    @precondition(lambda self: self.world.living())
    @rule(steps=st.integers(1, 8), saves=st.booleans())
    def the_driver_works(self, steps: int, saves: bool) -> None:
        self.world.work(steps, saves=saves)

    @precondition(lambda self: self.world.living())
    @rule(failure=st.sampled_from(FAILURES))
    def the_driver_fails(self, failure: FailureClass) -> None:
        self.world.end(Outcome.FAILED, failure)

    @precondition(lambda self: self.world.living())
    @rule()
    def the_driver_succeeds(self) -> None:
        self.world.end(Outcome.SUCCEEDED)

    @precondition(lambda self: self.world.living())
    @rule()
    def the_driver_vanishes(self) -> None:
        self.world.end(None)

    @precondition(lambda self: self.world.living() and self.world.stops)
    @rule()
    def the_driver_obeys(self) -> None:
        self.world.obey()

    @rule()
    def a_pass(self) -> None:
        self.world.run_pass()

    @rule()
    def another_pass(self) -> None:
        self.world.run_pass()

    @rule(done=st.integers(0, 2), is_recorded=st.booleans())
    def a_pass_that_is_killed(self, done: int, is_recorded: bool) -> None:
        self.world.run_pass(done=done if is_recorded else -1)

    @precondition(lambda self: self.world.living())
    @rule()
    def a_pass_that_does_not_see_the_live_one(self) -> None:
        self.world.run_pass(is_blind=True)

    @rule()
    def it_comes_to_rest(self) -> None:
        for _ in range(6):
            self.world.run_pass()
        before = self.world.status
        plan: Plan | None = self.world.run_pass()
        if plan is None:
            return  # it was let go
        assert plan.events == ()
        assert plan.status == before
        waiting = [action for action in plan.actions if not isinstance(action, RequestStop)]
        assert waiting == []

    @invariant()
    def there_are_never_two(self) -> None:
        assert len(self.world.living()) <= 1

    @invariant()
    def failures_stay_within_the_budget(self) -> None:
        charged = sum(one.charged for one in self.world.records.values())
        assert charged <= self.world.spec.scheduling.max_attempts

    @invariant()
    def attempts_are_counted_without_gaps(self) -> None:
        assert sorted(self.world.records) == list(range(1, len(self.world.records) + 1))

    @invariant()
    def the_end_is_marked(self) -> None:
        status = self.world.status
        kinds = {one.type for one in status.conditions}
        assert (ConditionType.FINISHED in kinds) is status.phase.is_final
        if status.phase.is_final:
            assert all(one.ended for one in self.world.records.values())

    def teardown(self) -> None:
        """Whatever happened before: a cancelled job comes to its end, and nothing is left."""
        if not hasattr(self, "world"):
            return
        self.world.patch(desired_state=DesiredState.CANCELLED)
        for _ in range(8):
            self.world.run_pass()
            self.world.tick(200_000)
        assert self.world.is_released or self.world.status.phase.is_final
        # A job that was let go while its attempt could not be seen is not looked at any more.
        is_excused = self.world.is_released and self.world.was_blind
        assert self.world.living() == [] or is_excused
        self.world.run_pass()
        assert self.world.status.usage.gpus == 0


def test_any_interleaving_keeps_the_promises(world_of: Any) -> None:
    machine = type("Machine", (Interleavings,), {"world_of": staticmethod(world_of)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=300,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_job_left_alone_runs_through(world_of: Any) -> None:
    world = world_of({})
    told = []
    for _ in range(6):
        plan = world.run_pass()
        told += [event.reason for event in plan.events]
        world.tick(10)
        if world.living() and world.status.attempt:
            if world.status.phase == "Running":
                world.end(Outcome.SUCCEEDED)
            else:
                world.work(3, saves=True)
    assert told == ["AttemptStarted", "Running", "AttemptSucceeded", "Succeeded"]
    assert world.status.phase == "Succeeded"


def test_a_job_whose_driver_always_fails_ends_within_its_budget(world_of: Any) -> None:
    world = world_of({"scheduling": {"maxAttempts": 4}})
    for _ in range(40):
        world.run_pass()
        world.tick(400)
        if world.living():
            world.end(Outcome.FAILED, FailureClass.APP_FAILED)
    assert world.status.phase == "Failed"
    assert len(world.records) == 4
