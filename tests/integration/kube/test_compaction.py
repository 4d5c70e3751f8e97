"""etcd forgets what was: clients that were about to go on from there begin again (410)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes import client

from tests.integration.kube.cable import Cable, cable_to
from tests.integration.kube.jobs import (
    names,
    now_of,
    phase_of,
    phases,
    play,
    status_of,
    submit,
    watched,
)
from tests.integration.kube.operators import OperatorProcess
from tests.integration.kube.release import install_rights
from tests.integration.kube.server import ApiServer
from vppo_core.kube import client as client_module
from vppo_core.kube.client import KubeClient
from vppo_core.kube.errors import KubeUnavailableError
from vppo_core.kube.kinds import CONFIG_MAPS, RAY_JOBS, VPPO_JOBS


@pytest.fixture
def cable(field: ApiServer) -> Iterator[Cable]:
    """The only way from the operator to the server."""
    with cable_to(urlsplit(field.url).port or 0) as cable:
        yield cable


@pytest.fixture
def start(
    field: ApiServer, plot: str, cable: Cable, tmp_path: Path
) -> Iterator[Callable[..., OperatorProcess]]:
    """Starts the operator at the other end of the cable."""
    install_rights(field.kube(), plot)
    started: list[OperatorProcess] = []

    def start(**settings: str) -> OperatorProcess:
        started.append(OperatorProcess(field, tmp_path, plot, url=cable.url, **settings))
        started[-1].await_word("ready")
        return started[-1]

    yield start
    for operator in started:
        operator.end()


def hold(kube: KubeClient, namespace: str, ray_job: str, *finalizers: str) -> None:
    """KubeRay holds a RayJob until it has stopped what runs for it."""
    kube.patch(RAY_JOBS, namespace, ray_job, {"metadata": {"finalizers": list(finalizers)}})


def add_map(field: ApiServer, namespace: str, name: str) -> None:
    metadata = {"name": name, "namespace": namespace}
    field.kube().create(
        CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    )


def compact(field: ApiServer, namespace: str, before: str) -> None:
    """Make sure that nobody can go on from a moment before."""
    add_map(field, namespace, "later")  # the last change of all is not forgotten
    field.compact()
    [refusal] = watched(field, VPPO_JOBS, before, "ADDED", "MODIFIED", "DELETED", "ERROR")
    assert refusal["object"]["code"] == 410


def test_the_operator_learns_what_happened_before_a_compaction(
    field: ApiServer, plot: str, cable: Cable, start: Callable[..., OperatorProcess]
) -> None:
    kube = field.kube()
    operator = start()
    old = ["changed", "deleted", "ended"]
    for name in old:
        submit(kube, plot, name)
    operator.await_that(lambda: len(names(kube, RAY_JOBS, plot)) == 3)
    for name in old:
        play(kube, plot, f"{name}-a1", "", "Initializing")
        hold(kube, plot, f"{name}-a1", "ray.io/rayjob")
    operator.await_that(lambda: phases(kube, plot) == dict.fromkeys(old, "Starting"))

    cable.cut()
    before = now_of(field, VPPO_JOBS)
    submit(kube, plot, "new")
    kube.patch(VPPO_JOBS, plot, "changed", {"spec": {"desiredState": "Cancelled"}})
    kube.delete(VPPO_JOBS, plot, "deleted")
    play(kube, plot, "ended-a1", "SUCCEEDED", "Complete")
    compact(field, plot, before)
    cable.mend()

    # By events alone: the next resync is five minutes away.
    operator.await_that(lambda: "new-a1" in names(kube, RAY_JOBS, plot))
    play(kube, plot, "new-a1", "", "Initializing")
    seen = {"new": "Starting", "changed": "Stopping", "deleted": "Stopping"}
    operator.await_that(lambda: seen.items() <= phases(kube, plot).items())
    for name in old:
        hold(kube, plot, f"{name}-a1")
    wanted = {"new": "Starting", "changed": "Cancelled", "ended": "Succeeded"}
    operator.await_that(lambda: phases(kube, plot) == wanted)
    assert names(kube, RAY_JOBS, plot) == ["new-a1"]
    assert "forbidden" not in operator.log


def test_the_resync_finds_a_ray_job_that_went_before_a_compaction(
    field: ApiServer, plot: str, cable: Cable, start: Callable[..., OperatorProcess]
) -> None:
    kube = field.kube()
    operator = start(RESYNC_SECONDS="5")
    submit(kube, plot)
    operator.await_that(lambda: names(kube, RAY_JOBS, plot) == ["demo-a1"])
    play(kube, plot, "demo-a1", "", "Initializing")
    operator.await_that(lambda: phase_of(kube, plot) == "Starting")

    cable.cut()
    before = now_of(field, VPPO_JOBS)
    kube.delete(RAY_JOBS, plot, "demo-a1")
    compact(field, plot, before)
    cable.mend()

    operator.await_that(lambda: names(kube, RAY_JOBS, plot) == ["demo-a2"])
    [first] = [one for one in status_of(kube, plot)["attempts"] if one["index"] == 1]
    assert first["outcome"] == "Lost"


class Interrupted(client.ApiClient):  # type: ignore[misc]  # the package has no types
    """Lets something happen after each of its calls."""

    def __init__(self, settings: client.Configuration, between: Callable[[], object]) -> None:
        super().__init__(settings)
        self._between = between

    def call_api(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().call_api(*arguments, **options)
        finally:
            self._between()


@pytest.fixture
def crowded(field: ApiServer, plot: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A namespace with more ConfigMaps than a page has."""
    monkeypatch.setattr(client_module, "PAGE", 2)
    for number in range(5):
        add_map(field, plot, f"c{number}")
    return plot


def test_a_list_that_a_compaction_overtakes_begins_again(field: ApiServer, crowded: str) -> None:
    added: list[str] = []

    def happens() -> None:
        if not added:
            added.append("a-new")  # on a page that was read already
            add_map(field, crowded, "a-new")
            field.compact()

    found = KubeClient(Interrupted(field.settings(), happens)).list(CONFIG_MAPS, crowded)
    assert [one["metadata"]["name"] for one in found] == ["a-new", "c0", "c1", "c2", "c3", "c4"]


def test_a_list_that_is_overtaken_again_and_again_ends(field: ApiServer, crowded: str) -> None:
    def happens() -> None:
        add_map(field, crowded, f"d{now_of(field, CONFIG_MAPS)}")
        field.compact()

    with pytest.raises(KubeUnavailableError):
        KubeClient(Interrupted(field.settings(), happens)).list(CONFIG_MAPS, crowded)
