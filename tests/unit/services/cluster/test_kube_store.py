"""What only a cluster has: objects, two writers, namespaces, servers that are away."""

import json
from typing import Any

import pytest

from vppo_core.archive.errors import (
    IdempotencyConflictError,
    JobNotFoundError,
    NameTakenError,
    NotAllowedNowError,
    StaleVersionError,
    StoreUnavailableError,
)
from vppo_core.archive.records import IdempotencyKey, JobChanges, JobQuery
from vppo_core.errors import InvalidSpecError
from vppo_core.kube.errors import (
    BadObjectError,
    KubeConflictError,
    KubeForbiddenError,
    KubeNotFoundError,
    KubeUnavailableError,
)
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_core.spec.status import JobPhase
from vppo_services.api.job_store import JobStore
from vppo_services.cluster.store import KubeJobStore

KEY = IdempotencyKey(tenant="ann", key="k-1")
PAUSE = JobChanges(desired_state="Paused")


def as_job_store(store: KubeJobStore) -> JobStore:
    """The type checker proves that the one is the other."""
    return store


def test_a_job_is_one_object_and_nothing_else(cluster: Any, job_named: Any) -> None:
    cluster.store.create(job_named("a", labels={"team": "x"}), owner="ann", idempotency=KEY)
    document = cluster.object("a")
    assert document["spec"]["learner"]["numSteps"] == 3
    assert document["spec"]["desiredState"] == "Running"
    assert "activeDeadlineSeconds" not in document["spec"]
    assert document["metadata"]["labels"] == {"team": "x"}
    notes = document["metadata"]["annotations"]
    assert notes.pop("vppo.io/owner") == "ann"
    assert [len(notes[f"vppo.io/{name}"]) for name in ("key-hash", "body-hash")] == [64, 64]
    assert {call.kind for call in cluster.server.writes()} == {VPPO_JOBS}
    assert cluster.store.get("a").annotations == {}


def test_a_job_of_kubectl_is_a_job(cluster: Any) -> None:
    spec = {"model": {"source": "demo://a"}, "data": {"source": "demo://colours"}}
    meta = {
        "name": "k",
        "namespace": "default",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "x"},
    }
    body = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", "metadata": meta, "spec": spec}
    cluster.server.store.create(VPPO_JOBS, body)
    found = cluster.store.get("k")
    assert (found.owner, found.annotations) == ("kubectl", {"note": "x"})
    assert found.spec.rollout.group_size == 8
    assert [one.name for one in cluster.store.list_jobs(JobQuery()).items] == ["k"]
    cluster.store.patch("k", PAUSE, actor="ann")
    assert cluster.object("k")["spec"] == {**spec, "desiredState": "Paused"}


def test_a_spec_that_nobody_reads_can_be_seen_and_deleted(cluster: Any) -> None:
    meta = {"name": "odd", "namespace": "default"}
    body = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", "metadata": meta}
    cluster.server.store.create(VPPO_JOBS, body | {"spec": {"model": 1}})
    cluster.server.store.patch(
        VPPO_JOBS, "default", "odd", {"status": {"phase": "Failed", "new": 1}}, subresource="status"
    )
    found = cluster.store.get("odd")
    assert json.loads(found.as_json())["spec"] == {"model": 1}
    assert found.phase is JobPhase.FAILED
    assert [one.name for one in cluster.store.list_jobs(JobQuery(queue="")).items] == ["odd"]
    cluster.store.delete("odd", actor="ann")
    assert cluster.server.store.get(VPPO_JOBS, "default", "odd") is None


def test_namespaces_do_not_see_each_other(cluster: Any, job_named: Any) -> None:
    team = cluster.store.within("team")
    assert cluster.store.within("default") is cluster.store
    here, _ = cluster.store.create(job_named("a"), owner="ann")
    there, _ = team.create(job_named("a"), owner="ann")
    assert here.uid != there.uid
    assert there.namespace == "team"
    for is_archived in (False, True):
        if is_archived:
            cluster.settle()
        assert [one.uid for one in team.list_jobs(JobQuery()).items] == [there.uid]
        with pytest.raises(JobNotFoundError):
            cluster.store.get("a", uid=there.uid)
    team.delete("a", actor="ann")
    assert cluster.store.get("a").uid == here.uid
    cluster.settle()
    assert team.get("a").released is not None


def test_webhooks_hear_of_their_namespace_alone(cluster: Any, job_named: Any) -> None:
    team = cluster.store.within("team")
    hook = team.create_webhook("https://x/", secret="s" * 16, events=(), owner="ann")
    assert (hook.namespace, cluster.store.webhooks()) == ("team", [])
    cluster.store.create(job_named("a"), owner="ann")
    team.create(job_named("b"), owner="ann")
    cluster.settle()
    due = cluster.store.due_deliveries(now=cluster.clock(), limit=9)
    assert [json.loads(one.body)["job"]["name"] for one, _, _ in due] == ["b"]


def test_two_servers_with_one_key_make_one_job(cluster: Any, job_named: Any) -> None:
    """The second one finds neither a key nor a row: only the object says that it came late."""
    first, _ = cluster.store.create(job_named(), owner="ann", idempotency=KEY)
    cluster.db.is_away = True
    again, is_replay = cluster.store.create(job_named(), owner="ann", idempotency=KEY)
    assert (again.uid, is_replay) == (first.uid, True)
    with pytest.raises(IdempotencyConflictError):
        cluster.store.create(job_named(seed=1), owner="ann", idempotency=KEY)
    named = job_named(first.name)
    with pytest.raises(NameTakenError):
        cluster.store.create(named, owner="bob", idempotency=IdempotencyKey(tenant="b", key="k-1"))
    assert len(cluster.server.store.list(VPPO_JOBS)) == 1


def test_a_key_that_met_another_one_on_the_way_gives_up_its_job(
    cluster: Any, job_named: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.store.create(job_named("a"), owner="ann", idempotency=KEY)
    cluster.settle()
    monkeypatch.setattr(cluster.store._creator, "_earlier", lambda _: None)
    with pytest.raises(IdempotencyConflictError):
        cluster.store.create(job_named("b"), owner="ann", idempotency=KEY)
    assert [one["metadata"]["name"] for one in cluster.server.store.list(VPPO_JOBS)] == ["a"]


def test_a_key_is_of_one_namespace(cluster: Any, job_named: Any) -> None:
    cluster.store.create(job_named("a"), owner="ann", idempotency=KEY)
    with pytest.raises(IdempotencyConflictError):
        cluster.store.within("team").create(job_named("a"), owner="ann", idempotency=KEY)


def test_users_do_not_write_what_the_program_writes(cluster: Any, job_named: Any) -> None:
    spoofed = job_named("a", annotations={"vppo.io/owner": "bob", "note": "x"})
    assert cluster.store.create(spoofed, owner="ann")[0].owner == "ann"
    for name in ("vppo.io/owner", "vppo.io/key-hash"):
        with pytest.raises(InvalidSpecError, match=r"metadata\.annotations must not change"):
            cluster.store.patch("a", JobChanges(annotations={name: None}), actor="ann")


def test_a_change_that_meets_the_operator_begins_anew(cluster: Any, job_named: Any) -> None:
    cluster.store.create(job_named("a"), owner="ann")
    for _ in range(3):
        cluster.server.fail_next(KubeConflictError("changed"), verb="patch")
    after = cluster.store.patch("a", PAUSE, actor="ann")
    assert after.spec.desired_state.value == "Paused"
    version = after.version
    cluster.server.fail_next(KubeConflictError("changed"), verb="patch")
    with pytest.raises(StaleVersionError, match="it changed meanwhile"):
        cluster.store.patch("a", JobChanges(labels={"x": "1"}), actor="ann", if_version=version)
    for _ in range(8):
        cluster.server.fail_next(KubeConflictError("changed"), verb="patch")
    with pytest.raises(StoreUnavailableError, match="hold still"):
        cluster.store.patch("a", JobChanges(labels={"x": "1"}), actor="ann")


def test_a_job_that_is_gone_stays_as_it_is(cluster: Any, job_named: Any) -> None:
    cluster.store.create(job_named("a"), owner="ann")
    cluster.settle()
    cluster.store.delete("a", actor="ann")
    cluster.settle()
    for changes in (JobChanges(ttl_seconds_after_finished=60), JobChanges(labels={"x": "1"})):
        with pytest.raises(NotAllowedNowError):
            cluster.store.patch("a", changes, actor="ann")
    assert cluster.store.delete("a", actor="ann").released is not None


@pytest.mark.parametrize(
    ("error", "becomes", "says"),
    [
        (KubeUnavailableError("no route"), StoreUnavailableError, "no route"),
        (
            KubeForbiddenError('User "x" cannot create resource "vppojobs"'),
            StoreUnavailableError,
            "service account must have its rights",
        ),
        (
            KubeForbiddenError('vppojobs "a" is forbidden: exceeded quota: jobs'),
            NotAllowedNowError,
            "exceeded quota",
        ),
        (
            KubeNotFoundError('namespaces "no" not found'),
            InvalidSpecError,
            "must be one that exists",
        ),
        (
            KubeNotFoundError("the server could not find the requested resource"),
            StoreUnavailableError,
            "vppo-crds",
        ),
        (BadObjectError("spec.seed: Invalid value"), InvalidSpecError, "spec.seed"),
    ],
)
def test_what_the_api_server_refuses_is_told_in_the_words_of_a_store(
    cluster: Any, job_named: Any, error: Exception, becomes: type[Exception], says: str
) -> None:
    cluster.server.fail_next(error, verb="create")
    with pytest.raises(becomes, match=says):
        cluster.store.create(job_named("a"), owner="ann")


def test_without_an_archive_jobs_go_on(cluster: Any, job_named: Any) -> None:
    cluster.db.is_away = True
    cluster.store.create(job_named("a"), owner="ann", idempotency=KEY)
    assert cluster.store.get("a").phase is JobPhase.PENDING
    assert cluster.store.patch("a", PAUSE, actor="ann").spec.desired_state.value == "Paused"
    assert cluster.store.explain("a").sentence
    cluster.store.ready()
    cluster.store.delete("a", actor="ann")
    uid = "some-uid"
    for call in (
        lambda: cluster.store.list_jobs(JobQuery()),
        lambda: cluster.store.events(uid),
        lambda: cluster.store.get("gone"),
    ):
        with pytest.raises(StoreUnavailableError):
            call()


def test_without_an_api_server_history_can_be_read(cluster: Any, job_named: Any) -> None:
    made, _ = cluster.store.create(job_named("a"), owner="ann")
    cluster.settle()
    cluster.server.is_unavailable = True
    assert [one.name for one in cluster.store.list_jobs(JobQuery()).items] == ["a"]
    assert cluster.store.recorded(made).name == "a"
    assert cluster.store.events(made.uid)
    for call in (
        lambda: cluster.store.get("a"),
        lambda: cluster.store.create(job_named("b"), owner="ann"),
        cluster.store.ready,
    ):
        with pytest.raises(StoreUnavailableError):
            call()


def test_readers_of_lists_share_one_question(cluster: Any, job_named: Any) -> None:
    cluster.store.create(job_named("a"), owner="ann")
    cluster.store.list_jobs(JobQuery())
    asked = len(cluster.server.calls)
    for _ in range(5):
        cluster.store.list_jobs(JobQuery())
    assert len(cluster.server.calls) == asked
    cluster.store.create(job_named("b"), owner="ann")
    assert len(cluster.store.list_jobs(JobQuery()).items) == 2


def test_a_page_holds_no_more_than_it_may(cluster: Any, job_named: Any) -> None:
    for number in range(4):
        cluster.store.create(job_named(f"j{number}"), owner="ann")
        cluster.clock.pass_by(1)
    page = cluster.store.list_jobs(JobQuery(limit=3))
    assert [one.name for one in page.items] == ["j3", "j2", "j1"]
    rest = cluster.store.list_jobs(JobQuery(limit=3, cursor=page.next_cursor))
    assert ([one.name for one in rest.items], rest.next_cursor) == (["j0"], None)
