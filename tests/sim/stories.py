"""Lives of a job that are told again and again while the operator dies in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.sim.driver import Trouble
from tests.sim.records import archived_attempts, archived_job, reasons_of
from tests.sim.world import World
from vppo_core.kube.kinds import VPPO_JOBS


@dataclass(frozen=True, slots=True)
class Ending:
    """What is left of a story, as far as it must not depend on who died in it."""

    phase: str
    attempts: tuple[tuple[Any, ...], ...]
    archived_phase: str
    archived_attempts: tuple[tuple[Any, ...], ...]
    milestones: tuple[str, ...]
    """Reasons of events that each story has once."""

    leftovers: tuple[str, ...]
    finalizers: tuple[str, ...]
    is_released: bool


_MILESTONES: Final = ("Succeeded", "Failed", "Cancelled", "Paused", "Retrying")


def succeeds(world: World) -> None:
    """It trains to its end."""
    world.submit(steps=4)
    _until(world, "Succeeded")


def pauses(world: World) -> None:
    """It is paused, and resumed."""
    world.submit(steps=6)
    _until_trained(world, 2)
    world.change(desiredState="Paused")
    _until(world, "Paused")
    world.change(desiredState="Running")
    _until(world, "Succeeded")


def is_tried_again(world: World) -> None:
    """It fails, runs out of memory, and succeeds."""
    out_of_memory = Trouble(4, failure_class="OutOfMemory", message="CUDA out of memory")
    world.script(trouble={1: Trouble(3), 2: out_of_memory}, save_every=2)
    world.submit(steps=6)
    _until(world, "Succeeded")


def is_deleted(world: World) -> None:
    """It is deleted while it trains."""
    world.submit(steps=50)
    _until_trained(world, 2)
    world.delete()
    _until(world, "Gone")


def is_preempted(world: World) -> None:
    """Kueue takes its quota, and gives it back."""
    assert world.kueue is not None
    world.script(save_every=2)
    world.submit(steps=6)
    _until_trained(world, 3)
    world.kueue.quota = 0
    world.kueue.evict("demo-a1")
    world.steps(6)
    world.kueue.quota = 8
    _until(world, "Succeeded")


STORIES: Final[Mapping[str, Callable[[World], None]]] = {
    "succeeds": succeeds,
    "pauses": pauses,
    "is_tried_again": is_tried_again,
    "is_deleted": is_deleted,
    "is_preempted": is_preempted,
}


def difference(wanted: Ending, got: Ending) -> str:
    """What is not as it should be; empty where all is."""
    wrong = [
        f"{field}: {getattr(got, field)} instead of {getattr(wanted, field)}"
        for field in Ending.__slots__
        if getattr(got, field) != getattr(wanted, field)
    ]
    return "; ".join(wrong)


def ending(world: World) -> Ending:
    """What is left."""
    world.steps(8)
    uid = world.uids[0]
    job = world.store.get(VPPO_JOBS, "default", "demo")
    record = archived_job(world, uid)
    reasons = reasons_of(world, uid)
    return Ending(
        phase=world.phase(),
        attempts=tuple(_told(one) for one in world.status().attempts),
        archived_phase=record.phase.value,
        archived_attempts=tuple(_told(one) for one in archived_attempts(world, uid)),
        milestones=tuple(one for one in reasons if one in _MILESTONES),
        leftovers=tuple(sorted(world.leftovers())),
        finalizers=tuple((job or {}).get("metadata", {}).get("finalizers") or ()),
        is_released=record.released is not None,
    )


def _told(attempt: Any) -> tuple[Any, ...]:
    words = (attempt.outcome, attempt.failure_class)
    return (attempt.index, *(one and one.value for one in words), attempt.charged)


def _until(world: World, phase: str) -> None:
    world.run_until("demo", phase, limit=400)


def _until_trained(world: World, step: int) -> None:
    """Whatever the status says: a step of the driver is no matter of who died."""
    world.run_while(lambda: not world.crew.drivers or world.driver_steps() < step, limit=400)
