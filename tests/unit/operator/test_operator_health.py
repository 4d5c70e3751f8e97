"""Probes, an old CRD, a platform that changes, and a whole operator that runs without watches."""

import asyncio
import copy
import time
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.dashboards.promtool import check_page
from tests.sim.kube_server import SimulatedServer
from tests.unit.core.instruments.page_reading import missing_in, series_of
from vppo_core.catalogue.control import OPERATOR
from vppo_core.errors import InvalidSpecError
from vppo_core.kube.kinds import (
    CUSTOM_RESOURCES,
    RAY_CLUSTERS,
    RAY_JOBS,
    VPPO_JOBS,
    WORKLOADS,
)
from vppo_core.spec.crd import vppojob_crd
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.platform_file import load_cluster_platform
from vppo_operator.crd_age import crd_trouble, missing_fields
from vppo_operator.health import CANARY_SECONDS, Health
from vppo_operator.metrics import OperatorMetrics
from vppo_operator.platform_watch import PlatformWatch
from vppo_operator.program import Operator
from vppo_operator.resync import served_kinds
from vppo_operator.settings import OperatorSettings

MAX_SERIES = 10 * 200 + 200
"""Of a page with 200 jobs that are not over."""

PLATFORM = """
pools: [{name: gpu, gpus: 8, nodes: {gpusPerNode: 8, cpusPerNode: 64, memoryMibPerNode: 65536}}]
queues: [{name: default, pool: gpu}]
cluster: {image: "vppo:1"}
"""


def health(**fields: Any) -> Health:
    plain: dict[str, Any] = {
        "is_standby": False,
        "is_synced": True,
        "canary_age_seconds": 10.0,
        "resync_age_seconds": 10.0,
        "resync_seconds": 300.0,
    }
    return Health(**{**plain, **fields})


@pytest.mark.parametrize(
    ("fields", "is_ill", "is_ready"),
    [
        ({}, False, True),
        ({"is_synced": False}, False, False),
        ({"canary_age_seconds": CANARY_SECONDS + 1}, True, True),
        ({"canary_age_seconds": None}, False, True),
        ({"resync_age_seconds": 901.0}, True, True),
        ({"resync_age_seconds": 1000.0, "resync_seconds": 600.0}, False, True),
        ({"is_standby": True, "is_synced": False, "resync_age_seconds": 9e9}, False, True),
    ],
)
def test_health(fields: dict[str, Any], is_ill: bool, is_ready: bool) -> None:
    now = health(**fields)
    assert (bool(now.illness), now.is_ready) == (is_ill, is_ready)


def served_with(definition: dict[str, Any]) -> SimulatedServer:
    server = SimulatedServer()
    server.store.put(CUSTOM_RESOURCES, definition)
    return server


def test_todays_crd_keeps_all_that_is_written() -> None:
    assert missing_fields(vppojob_crd()) == []
    assert crd_trouble(served_with(vppojob_crd())) == ""


def test_an_older_crd_is_named_with_what_it_drops() -> None:
    old = copy.deepcopy(vppojob_crd())
    schema = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    status = schema["properties"]["status"]["properties"]
    del status["usage"]
    del status["attempts"]["items"]["properties"]["exitCode"]
    assert missing_fields(old) == ["attempts.exitCode", "usage"]
    assert "status.attempts.exitCode" in crd_trouble(served_with(old))


def test_without_the_right_to_look_nothing_is_said() -> None:
    server = served_with({"metadata": {"name": "vppojobs.vppo.io"}, "spec": {}})
    server.forbid("get", CUSTOM_RESOURCES)
    assert crd_trouble(server) == ""


def test_a_platform_needs_a_cluster(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text("pools: [{name: gpu}]\nqueues: [{name: q, pool: gpu}]\n")
    with pytest.raises(InvalidSpecError, match="cluster"):
        load_cluster_platform(path)


def test_a_changed_platform_is_told_once_and_a_wrong_one_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(PLATFORM)
    watch = PlatformWatch(path, load_cluster_platform(path))
    assert watch.changed() is None
    path.write_text(PLATFORM.replace("vppo:1", "vppo:22"))
    changed = watch.changed()
    assert changed is not None
    assert changed.cluster is not None
    assert changed.cluster.image == "vppo:22"
    assert watch.changed() is None
    path.write_text(PLATFORM + "moon: full\n")
    assert watch.changed() is None
    assert "moon" in watch.notes[0]


def with_jobs(count: int) -> SimulatedServer:
    server = SimulatedServer(namespaces=("team",))
    spec = {
        "model": {"source": "a/b"},
        "data": {"source": "c/d"},
        "checkpoint": {"uri": "s3://bucket/runs"},
    }
    for number in range(count):
        body = {"metadata": {"name": f"j{number}", "namespace": "team"}, "spec": spec}
        server.store.create(
            VPPO_JOBS, {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", **body}
        )
    return server


def run(server: SimulatedServer, tmp_path: Path) -> Operator:
    """An operator that has looked at every job once, and was stopped."""
    path = tmp_path / "platform.yaml"
    path.write_text(PLATFORM)
    settings = OperatorSettings(platform_file=path, state=tmp_path, workers=2)

    async def live() -> Operator:
        operator = Operator(
            settings, server, db=None, platform=load_cluster_platform(path), canary=None
        )
        await operator.start()
        deadline = time.monotonic() + 30
        while not operator.health().is_ready and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await operator.stop()
        return operator

    return asyncio.run(live())


def test_an_operator_finds_jobs_by_itself_and_stops_when_told(tmp_path: Path) -> None:
    server = with_jobs(5)
    operator = run(server, tmp_path)
    assert len(server.store.list(RAY_JOBS)) == 5
    page = operator.page()[0].decode()
    assert 'vppo_jobs{phase="Starting"} 5.0' in page
    assert 'vppo_job_phase{job_name="j0",job_namespace="team",phase="Starting"} 1.0' in page
    assert "vppo_attempts_started_total 5.0" in page
    assert 'vppo_gpus_offered{pool="gpu"} 8.0' in page
    assert 'vppo_operator_api_calls_total{resource="rayjobs",verb="create"} 5.0' in page
    assert not operator.ended.is_set()
    assert missing_in(operator.page()[0], OPERATOR) == []
    assert "vppo_operator_leader 1.0" in page


def test_a_page_of_200_jobs_stays_below_the_bound(tmp_path: Path) -> None:
    page = run(with_jobs(200), tmp_path).page()[0]
    assert 200 * 6 < len(series_of(page)) <= MAX_SERIES
    assert not which("promtool") or check_page(page) == ""


def test_a_standby_says_that_it_is_one_and_nothing_of_jobs() -> None:
    page = OperatorMetrics().page()
    found = series_of(page)
    assert found["vppo_operator_leader"] == 0
    assert [name for name in found if not name.startswith("vppo_operator_")] == []
    # What only a leader knows is not 0 but unknown.
    assert "vppo_operator_watch_age_seconds" not in found
    assert not which("promtool") or check_page(page) == ""


def test_a_look_that_fails_is_timed_and_counted() -> None:
    metrics = OperatorMetrics()
    with metrics.look():
        pass
    with pytest.raises(ZeroDivisionError), metrics.look():
        raise ZeroDivisionError
    found = series_of(metrics.page())
    assert found["vppo_operator_reconcile_errors_total"] == 1
    assert found["vppo_operator_reconcile_seconds_count"] == 2


def test_orphans_are_named_by_their_kind_and_forgotten_when_they_are_gone() -> None:
    metrics = OperatorMetrics()
    for found, count in ((["RayCluster", "RayCluster"], 2), ([], 0)):
        metrics.set_orphans(found, ["RayJob", "RayCluster"])
        series = series_of(metrics.page())
        assert series["vppo_operator_orphans RayCluster"] == count
        assert series["vppo_operator_orphans RayJob"] == 0


@pytest.mark.parametrize("uses_kueue", [True, False])
def test_kinds_that_are_not_served_or_not_wanted_are_not_watched(uses_kueue: bool) -> None:
    platform = PlatformSpec.model_validate(
        {
            "pools": [{"name": "gpu"}],
            "queues": [{"name": "q", "pool": "gpu"}],
            "cluster": {"image": "vppo:1", "kueue": uses_kueue},
        }
    )
    server = SimulatedServer()
    server.not_served.add(RAY_JOBS)
    expected = [RAY_CLUSTERS, WORKLOADS] if uses_kueue else [RAY_CLUSTERS]
    assert list(served_kinds(server, (), platform)) == expected
    server.forbid("list", RAY_CLUSTERS)
    assert RAY_CLUSTERS not in served_kinds(server, (), platform)
