"""kopf watches, our handlers wake: nothing is written, nothing is returned."""

import asyncio
from typing import Any

import kopf
import pytest

from vppo_core.kube.kinds import LEASES, PODS, RAY_CLUSTERS, RAY_JOBS, VPPO_JOBS, WORKLOADS
from vppo_operator.handlers import FINALIZER, kopf_settings, registry_of
from vppo_operator.seen_versions import SeenVersions
from vppo_operator.wake_ups import WakeUps, job_of_workload
from vppo_operator.work_queue import WorkQueue

RAY_JOB_OWNER = {"kind": "RayJob", "name": "demo-a12"}
EVENTS: dict[str, dict[str, Any]] = {
    VPPO_JOBS.plural: {},
    RAY_JOBS.plural: {},
    RAY_CLUSTERS.plural: {},
    PODS.plural: {},
    WORKLOADS.plural: {"ownerReferences": [RAY_JOB_OWNER]},
    LEASES.plural: {},
}
"""What objects of each kind have in their metadata."""


async def no_work(_: tuple[str, str]) -> None:
    return None


class Heard:
    """Everything that is watched, with the queue behind it."""

    def __init__(self) -> None:
        self.queue: WorkQueue[tuple[str, str]] = WorkQueue(no_work, clock=lambda: self.seconds)
        self.seconds = 0.0
        self.seen = SeenVersions()
        self.wake_ups = WakeUps(self.queue, clock=lambda: self.seconds, has_seen=self.seen.has)
        optional = (RAY_JOBS, RAY_CLUSTERS, WORKLOADS)
        registry = registry_of(self.wake_ups, canary="canary", optional=optional)
        self.handlers = {
            handler.selector.any_name or handler.selector.plural: handler
            for handler in registry._watching.get_all_handlers()
        }

    def send(self, plural: str, kind: str | None = None, version: str = "7") -> object:
        head = {"uid": plural, "resourceVersion": version, **EVENTS[plural]}
        facts = {
            "namespace": "team",
            "name": "demo",
            "labels": {"vppo.io/job": "demo"},
            "event": {"type": kind, "object": {"metadata": head}},
        }
        return asyncio.run(self.handlers[plural].fn(**facts))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_every_kind_is_watched(heard: Heard) -> None:
    assert set(heard.handlers) == set(EVENTS)


@pytest.mark.parametrize("plural", [name for name in EVENTS if name != LEASES.plural])
def test_an_event_wakes_its_job_and_returns_nothing(heard: Heard, plural: str) -> None:
    assert heard.send(plural) is None  # kopf would write what is returned into the status
    assert heard.queue.depth == 1


def test_the_canary_is_a_sign_of_life_and_wakes_nobody(heard: Heard) -> None:
    heard.seconds = 9.0
    assert heard.send(LEASES.plural) is None
    assert (heard.queue.depth, heard.wake_ups.canary_at) == (0, 9.0)


@pytest.mark.parametrize("plural", [VPPO_JOBS.plural, RAY_JOBS.plural, WORKLOADS.plural])
def test_what_a_look_has_seen_wakes_nobody(heard: Heard, plural: str) -> None:
    heard.seen.note({"metadata": {"uid": plural, "resourceVersion": "7"}})
    heard.send(plural, "MODIFIED")
    assert heard.queue.depth == 0
    heard.send(plural, "MODIFIED", "8")
    assert heard.queue.depth == 1


def test_a_deletion_wakes_its_job_whatever_was_seen(heard: Heard) -> None:
    heard.seen.note({"metadata": {"uid": RAY_JOBS.plural, "resourceVersion": "7"}})
    heard.send(RAY_JOBS.plural, "DELETED")
    assert heard.queue.depth == 1


def test_a_changed_job_comes_before_changes_of_what_belongs_to_others(heard: Heard) -> None:
    for number in range(20):
        heard.wake_ups.child("team", f"old-{number}", {"type": None, "object": {}})
    heard.send(VPPO_JOBS.plural)
    assert heard.queue._ready.take() == ("team", "demo")


def test_a_workload_of_something_else_is_none_of_ours() -> None:
    for owner in ({"kind": "Job", "name": "demo-a1"}, {"kind": "RayJob", "name": "theirs"}):
        assert job_of_workload({"metadata": {"ownerReferences": [owner]}}) == ""


def test_only_served_kinds_are_watched() -> None:
    heard = Heard()
    registry = registry_of(heard.wake_ups)
    watched = {
        one.selector.any_name or one.selector.plural
        for one in registry._watching.get_all_handlers()
    }
    assert watched == {VPPO_JOBS.plural, PODS.plural}


@pytest.mark.parametrize("is_namespaced", [True, False])
def test_kopf_is_set_up_so_that_it_neither_hangs_nor_writes(is_namespaced: bool) -> None:
    settings = kopf_settings(is_namespaced=is_namespaced)
    watching = settings.watching
    assert type(watching.server_timeout) is int  # the server refuses 300.0, and kopf dies of it
    assert (watching.server_timeout, watching.client_timeout, watching.connect_timeout) == (
        300,
        310,
        10,
    )
    assert (watching.inactivity_timeout, settings.networking.request_timeout) == (70, 30)
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert settings.persistence.finalizer == FINALIZER
    diffs = settings.persistence.diffbase_storage
    assert diffs.build(body=kopf.Body({"spec": {"large": True}})) == {}  # kopf would copy it all
    assert settings.scanning.disabled is is_namespaced
    assert settings.process.ultimate_exiting_timeout == 45
