"""Whatever people, KubeRay, Kueue, nodes and clocks do, in whatever order: what must hold, holds.

The world checks its invariants after every step; here everything ends well at last, and then the
job has to come to rest where it is wanted to be.
"""

import os
from collections.abc import Callable, Mapping
from typing import Final

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.sim.conftest import WorldOf
from tests.sim.driver import Trouble
from tests.sim.records import archived_attempts, archived_job
from tests.sim.world import HOME, World
from vppo_core.kube.errors import BadObjectError
from vppo_core.kube.kinds import RAY_JOBS, VPPO_JOBS
from vppo_core.spec.status import JobPhase

EXAMPLES: Final = int(os.environ.get("VPPO_EXAMPLES", "20"))
FINAL: Final = {phase.value for phase in JobPhase if phase.is_final}


def _desire(state: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        job = world.job()
        was = (job or {}).get("spec", {}).get("desiredState", "Running")
        if job is not None and was != "Cancelled":  # CEL: it is final
            world.change(desiredState=state)

    return act


def _lose_a_pod(role: str, how: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        pods = [one for one in world.pods(role=role) if one["spec"].get("nodeName")]
        if pods and how == "node":
            world.nodes.lose(pods[0])
        elif pods:
            world.nodes.kill(pods[0], reason=how)

    return act


def _newest_rayjob(world: World) -> str | None:
    jobs = [one["metadata"]["name"] for one in world.store.list(RAY_JOBS)]
    return max(jobs, default=None)


def _dashboard_goes(world: World) -> None:
    name = _newest_rayjob(world)
    if name:
        world.kuberay.dashboard_is_down.add(name)


def _evict(world: World) -> None:
    name = _newest_rayjob(world)
    if world.kueue is not None and name and world.kueue.workload_of(HOME, name):
        world.kueue.evict(name)


def _quota(gpus: int) -> Callable[[World], None]:
    def act(world: World) -> None:
        if world.kueue is not None:
            world.kueue.quota = gpus

    return act


def _rayjob_vanishes(world: World) -> None:
    name = _newest_rayjob(world)
    if name:
        world.store.remove(RAY_JOBS, HOME, name)


def _driver_fails(world: World) -> None:
    script = world.script()
    for index in range(1, 30):
        script.trouble.setdefault(index, Trouble(world.status().progress.step))
        if index >= world.status().attempt:
            break


def _set(part: str, field: str, value: object) -> Callable[[World], None]:
    return lambda world: setattr(getattr(world, part), field, value)


def _archive(is_away: bool) -> Callable[[World], None]:
    def act(world: World) -> None:
        if world.db is not None:
            world.db.is_away = is_away

    return act


ACTIONS: Final[Mapping[str, Callable[[World], None]]] = {
    "wait": lambda world: world.steps(3),
    "pause": _desire("Paused"),
    "resume": _desire("Running"),
    "cancel": _desire("Cancelled"),
    "delete": lambda world: world.delete(),
    "operator dies soon": lambda world: world.server.fail_after(7),
    "operator dies at once": lambda world: world.server.fail_after(1),
    "operator restarts": lambda world: world.operator.restart(),
    "operator is away": _set("operator", "is_up", False),
    "operator is back": _set("operator", "is_up", True),
    "an hour": lambda world: world.step(3600),
    "clock goes back": lambda world: world.clock.advance(-120),
    "state is lost": lambda world: world.lose_state(),
    "api server is away": _set("server", "is_unavailable", True),
    "api server is back": _set("server", "is_unavailable", False),
    "archive is away": _archive(True),
    "archive is back": _archive(False),
    "kuberay is away": _set("kuberay", "is_running", False),
    "kuberay is back": _set("kuberay", "is_running", True),
    "kuberay leaks": _set("kuberay", "leaks", True),
    "dashboard goes": _dashboard_goes,
    "no room": _set("nodes", "is_full", True),
    "room": _set("nodes", "is_full", False),
    "head dies": _lose_a_pod("head", "Error"),
    "head's node is lost": _lose_a_pod("head", "node"),
    "learner out of memory": _lose_a_pod("learner", "OOMKilled"),
    "rayjob vanishes": _rayjob_vanishes,
    "driver fails": _driver_fails,
    "driver is deaf": lambda world: setattr(world.script(), "ignores_stop", True),
    "driver is cut off": lambda world: setattr(world.script(), "is_cut_off", True),
    "driver is heard": lambda world: setattr(world.script(), "is_cut_off", False),
    "quota goes": _quota(0),
    "quota comes": _quota(8),
    "evicted": _evict,
}


def heal(world: World) -> None:
    """Everything works again; nobody wants anything new."""
    world.operator.is_up = True
    world.server.is_unavailable = False
    world.server.never_fail()
    world.kuberay.is_running = True
    world.kuberay.dashboard_is_down.clear()
    world.nodes.is_full = False
    world.script(ignores_stop=False, is_cut_off=False, hangs_at=None)
    if world.kueue is not None:
        world.kueue.quota = 8
    if world.db is not None:
        world.db.is_away = False


def wanted(world: World) -> set[str]:
    """Phases that the job may rest in."""
    job = world.job()
    if job is None or "deletionTimestamp" in job["metadata"]:
        return {"Gone"}
    desired = job["spec"].get("desiredState", "Running")
    return FINAL | ({"Paused"} if desired == "Paused" else set())


def is_at_rest(world: World) -> bool:
    return world.phase() in wanted(world) and not world.live()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(names=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=14), kueue=st.booleans())
def test_everything_comes_to_rest(world_of: WorldOf, names: list[str], kueue: bool) -> None:
    note(f"kueue {kueue}: {names}")
    world = world_of(kueue=kueue)
    uid = world.submit(steps=25, scheduling={"stopGraceSeconds": 60})["metadata"]["uid"]
    world.script(save_every=4)
    world.steps(6)
    try:
        for name in names:
            ACTIONS[name](world)
            world.steps(2)
        heal(world)
        world.run_while(lambda: not is_at_rest(world), limit=400)
        world.settle()
        _quiet(world)
        _recorded(world, uid)
    finally:
        world.close()


def _quiet(world: World) -> None:
    """After everything came to rest, nothing is done any more."""
    before = len(world.server.writes())
    jobs = [one["metadata"]["resourceVersion"] for one in world.store.list(VPPO_JOBS)]
    world.steps(12, seconds=60)
    assert [one["metadata"]["resourceVersion"] for one in world.store.list(VPPO_JOBS)] == jobs
    written = world.server.writes()[before:]
    assert not written, f"{world.story()}: {written[:5]}"


def _recorded(world: World, uid: str) -> None:
    """The archive knows every attempt that ever ended, and the end of the job."""
    recorded = archived_attempts(world, uid)
    assert not world.invariants.lost_attempts(uid, {one.index for one in recorded})
    assert all(one.ended is not None for one in recorded)
    phase = archived_job(world, uid).phase
    assert phase.is_final or phase.value == world.phase()


def test_a_refused_change_of_the_world_is_a_mistake_of_the_test(world: World) -> None:
    """The actions above only do what an API server takes."""
    world.submit()
    for action in ACTIONS.values():
        try:
            action(world)
        except BadObjectError as error:
            raise AssertionError(str(error)) from error
