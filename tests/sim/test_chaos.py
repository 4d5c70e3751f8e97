"""The operator dies, again and again, and another one goes on from where it died.

Ordinarily it dies after every change that it makes, all in one story; and once in a story, after
some of the calls that write and some commits of the archive. With `VPPO_CHAOS=all` it dies once
after every call, those that only read included, and after every commit; that takes minutes.
"""

import os
from collections.abc import Iterable
from typing import Any

import pytest

from tests.sim.conftest import WorldOf
from tests.sim.kube_server import Call
from tests.sim.stories import STORIES, Ending, difference, ending
from tests.sim.world import World

ALL = os.environ.get("VPPO_CHAOS") == "all"
NAMES = tuple(STORIES)
SKIPPED = 8


def told(world_of: WorldOf, name: str, **death: Any) -> tuple[World, Ending]:
    """A story, with a death in it: `call`, `commit`, or `every` so many changes."""
    world = world_of(kueue=name == "is_preempted")
    if "call" in death:
        world.server.fail_after(death["call"])
    if "commit" in death and world.db is not None:
        world.db.fail_after(death["commit"])
    if "every" in death:
        world.server.fail_after(death["every"], changes_only=True, again=True)
    STORIES[name](world)
    end = ending(world)
    world.close()
    return world, end


def trouble(world_of: WorldOf, name: str, wanted: Ending, **death: Any) -> str:
    """What a death changed; empty where it changed nothing."""
    try:
        world, end = told(world_of, name, **death)
    except AssertionError as error:
        return str(error)[:500]
    return difference(wanted, end) if world.operator.deaths else "nobody died"


def places(name: str, found: Iterable[int]) -> list[int]:
    """The places of a story that are tried."""
    return list(found) if ALL else list(found)[NAMES.index(name) :: SKIPPED]


def is_tried(number: int, call: Call) -> bool:
    return call.is_write or (ALL and number > 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_death_after_any_call_changes_nothing(world_of: WorldOf, name: str) -> None:
    undisturbed, wanted = told(world_of, name)
    calls = dict(enumerate(undisturbed.server.calls, 1))
    deaths = places(name, [number for number, call in calls.items() if is_tried(number, call)])
    found = {number: trouble(world_of, name, wanted, call=number) for number in deaths}
    wrong = {
        f"{number}: {calls[number].verb} {calls[number].kind.plural}": text
        for number, text in found.items()
        if text
    }
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
def test_a_death_after_any_commit_changes_nothing(world_of: WorldOf, name: str) -> None:
    undisturbed, wanted = told(world_of, name)
    assert undisturbed.db is not None
    deaths = places(name, range(1, undisturbed.db.commits + 1))
    found = {number: trouble(world_of, name, wanted, commit=number) for number in deaths}
    assert not {number: text for number, text in found.items() if text}


@pytest.mark.parametrize("every", [1, 2, 3, 5] if ALL else [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_an_operator_that_dies_after_each_change_gets_there(
    world_of: WorldOf, name: str, every: int
) -> None:
    _, wanted = told(world_of, name)
    assert not trouble(world_of, name, wanted, every=every)
