"""What attempts left behind is found after ten minutes, never earlier, and never of a live one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sim.kube_server import SimulatedServer
from vppo_core.kube.api import KubeObject
from vppo_core.kube.errors import KubeForbiddenError
from vppo_core.kube.kinds import CONFIG_MAPS, RAY_CLUSTERS, VPPO_JOBS
from vppo_operator.sweeper import Sweeper, orphans_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BORN = NOON - timedelta(hours=2)


def at(minutes: float) -> str:
    return (NOON - timedelta(minutes=minutes)).isoformat()


def cluster(index: str = "1", *, made: float = 100, **metadata: Any) -> KubeObject:
    labels = {"vppo.io/job": "demo", "vppo.io/attempt": index}
    head = {"name": "demo-a1-x", "namespace": "team", "uid": "c1", "labels": labels}
    return {"metadata": {**head, "creationTimestamp": at(made), **metadata}}


def job(*attempts: dict[str, Any], last: int = 1) -> KubeObject:
    head = {"name": "demo", "namespace": "team", "creationTimestamp": BORN.isoformat()}
    return {"metadata": head, "status": {"attempt": last, "attempts": list(attempts)}}


@pytest.mark.parametrize(
    ("thing", "owner", "is_orphan"),
    [
        pytest.param(cluster(), None, True, id="job-gone"),
        pytest.param(cluster(made=9), None, False, id="job-gone-a-moment-ago"),
        pytest.param(cluster(), job({"index": 1}), False, id="live"),
        pytest.param(cluster(), job({"index": 1, "ended": at(11)}), True, id="ended"),
        pytest.param(cluster(), job({"index": 1, "ended": at(9)}), False, id="just-ended"),
        pytest.param(cluster("7"), job({"index": 1}, last=1), False, id="not-written-down-yet"),
        pytest.param(cluster("1"), job({"index": 9}, last=12), True, id="forgotten"),
        pytest.param(cluster(made=500), job({"index": 1}), True, id="of-an-earlier-job"),
        pytest.param(cluster(deletionTimestamp=at(60)), None, False, id="being-deleted"),
        pytest.param(cluster("x"), None, False, id="not-ours"),
    ],
)
def test_orphans(thing: KubeObject, owner: KubeObject | None, is_orphan: bool) -> None:
    jobs = {("team", "demo"): owner} if owner else {}
    assert bool(list(orphans_of(RAY_CLUSTERS, [thing], jobs, NOON))) is is_orphan


def test_what_is_found_is_removed_and_a_missing_right_is_no_end() -> None:
    now = [NOON - timedelta(hours=1)]
    server = SimulatedServer(now=lambda: now[0], namespaces=("team",))
    for kind in (RAY_CLUSTERS, CONFIG_MAPS):
        labels = {"vppo.io/job": "demo", "vppo.io/attempt": "1"}
        body = {"metadata": {"name": "demo-a1", "namespace": "team", "labels": labels}}
        server.store.put(kind, body)
    now[0] = NOON
    server.fail_next(KubeForbiddenError("no"), verb="list", kind=CONFIG_MAPS)
    sweeper = Sweeper(server, ())
    found = sweeper.sweep(server.store.list(VPPO_JOBS), NOON)
    assert [one.kind for one in found] == [RAY_CLUSTERS]
    assert server.store.list(RAY_CLUSTERS) == []
    assert [one.kind for one in sweeper.sweep([], NOON)] == [CONFIG_MAPS]
    assert sweeper.sweep([], NOON) == []
