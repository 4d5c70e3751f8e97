"""The operator dies after a call to a real API server, and the next one gets to the same end.

A sample: the simulated server of tests/sim dies after every call. Here it is the conflicts, name
clashes and finalizers of the real one that the next operator meets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kube.conftest import make_namespace
from tests.integration.kube.jobs import born, names, now_of, phase_of, play, status_of, submit
from tests.integration.kube.mortal import MortalApi, SteppedOperator
from tests.integration.kube.release import install_rights, token_of
from tests.integration.kube.server import ApiServer
from vppo_core.kube.client import KubeClient
from vppo_core.kube.kinds import RAY_JOBS, VPPO_JOBS

EVERY = 7
"""Of the calls of a life, one in so many is tried as the last."""


@dataclass(frozen=True)
class Ending:
    """What must not depend on who died."""

    phase: str
    attempts: tuple[tuple[Any, ...], ...]
    finalizers: tuple[str, ...]
    ray_jobs: tuple[str, ...]
    """Those that are left."""


@dataclass(frozen=True)
class Telling:
    """A story that was told."""

    namespace: str
    ending: Ending
    calls: int
    """Of the last operator, until the story was over."""

    deaths: int


Story = Callable[[KubeClient, str, SteppedOperator], None]


def is_tried_again(kube: KubeClient, namespace: str, operator: SteppedOperator) -> None:
    """It fails, is tried again, and succeeds."""

    def tried(name: str, job: str, deployment: str) -> None:
        operator.look_until(lambda: name in names(kube, RAY_JOBS, namespace))
        play(kube, namespace, name, "", "Initializing")
        operator.look_until(lambda: phase_of(kube, namespace) == "Starting")
        play(kube, namespace, name, job, deployment)
        operator.look_until(lambda: name not in names(kube, RAY_JOBS, namespace))

    tried("demo-a1", "FAILED", "Failed")
    operator.now += timedelta(minutes=10)  # how long it waits is a matter of the job's uid
    tried("demo-a2", "SUCCEEDED", "Complete")
    operator.look_until(lambda: phase_of(kube, namespace) == "Succeeded")


def is_deleted(kube: KubeClient, namespace: str, operator: SteppedOperator) -> None:
    """It is deleted before it trains."""
    operator.look_until(lambda: names(kube, RAY_JOBS, namespace) == ["demo-a1"])
    kube.delete(VPPO_JOBS, namespace, "demo")
    operator.look_until(lambda: names(kube, VPPO_JOBS, namespace) == [])


class Stage:
    """Tells stories, each in a namespace of its own."""

    def __init__(self, field: ApiServer, folder: Path) -> None:
        self.kube = field.kube()
        self._folder = folder
        home = make_namespace(self.kube, "chaos")
        install_rights(self.kube, home, "--set=rbac.scope=cluster")
        self._own = field.kube(token_of(field, home, "vppo-operator"))

    def told(
        self, story: Story, *, last_call: int | None = None, every_change: int | None = None
    ) -> Telling:
        """How it ended when the first operator died after a call, or each after so many changes."""
        namespace = make_namespace(self.kube, story.__name__)
        lives: list[MortalApi] = []

        def live() -> MortalApi:
            dies_after = every_change or (last_call if not lives else None)
            api = MortalApi(self._own, dies_after=dies_after, changes_only=bool(every_change))
            lives.append(api)
            return api

        folder = self._folder / namespace
        folder.mkdir()
        operator = SteppedOperator(folder, namespace, live)
        submit(self.kube, namespace)
        story(self.kube, namespace, operator)
        calls = lives[-1].calls
        for _ in range(4):
            operator.look()
        operator.close()
        return Telling(namespace, self._ending(namespace), calls, operator.deaths)

    def _ending(self, namespace: str) -> Ending:
        job = self.kube.get(VPPO_JOBS, namespace, "demo") or {"metadata": {}}
        keys = ("index", "outcome", "failureClass", "charged")
        attempts = status_of(self.kube, namespace).get("attempts") or []
        return Ending(
            phase=phase_of(self.kube, namespace),
            attempts=tuple(tuple(one.get(key) for key in keys) for one in attempts),
            finalizers=tuple(job["metadata"].get("finalizers") or ()),
            ray_jobs=tuple(names(self.kube, RAY_JOBS, namespace)),
        )


@pytest.fixture
def stage(field: ApiServer, tmp_path: Path) -> Stage:
    return Stage(field, tmp_path)


@pytest.mark.parametrize(
    ("story", "made"), [(is_tried_again, ["demo-a1", "demo-a2"]), (is_deleted, ["demo-a1"])]
)
def test_a_death_after_a_call_or_after_each_change_changes_nothing(
    field: ApiServer, stage: Stage, story: Story, made: list[str]
) -> None:
    since = now_of(field, RAY_JOBS)
    undisturbed = stage.told(story)
    assert undisturbed.ending.finalizers == undisturbed.ending.ray_jobs == ()
    deaths = [{"last_call": number} for number in range(2, undisturbed.calls, EVERY)]
    deaths += [{"every_change": 1}, {"every_change": 2}]
    told = {str(death): stage.told(story, **death) for death in deaths}
    assert [death for death, one in told.items() if not one.deaths] == []
    wrong = {death: one.ending for death, one in told.items() if one.ending != undisturbed.ending}
    assert not wrong, undisturbed.ending
    births = born(field, RAY_JOBS, since)
    wanted = [(one.namespace, name) for one in (undisturbed, *told.values()) for name in made]
    assert births == sorted(wanted)
