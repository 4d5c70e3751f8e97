"""What cannot be run is told in a condition, and runs by itself when its cause goes."""

from typing import Any

import pytest

from tests.unit.operator.reconcile_bench import Bench
from vppo_core.kube.errors import BadObjectError, KubeForbiddenError
from vppo_core.kube.kinds import CONFIG_MAPS, RAY_JOBS, VPPO_JOBS
from vppo_core.spec.platform import PlatformSpec


def test_a_spec_that_cannot_be_read_waits_and_is_accepted_once_it_can(bench: Bench) -> None:
    bench.submit(learner={"numSteps": -1})
    bench.look()
    status, reason, message = bench.said("Accepted")
    assert (status, reason, bench.phase()) == ("False", "InvalidSpec", "Pending")
    assert "numSteps" in message
    before = len(bench.server.writes())
    bench.look()
    assert len(bench.server.writes()) == before
    assert bench.told() == ["InvalidSpec"]
    bench.server.store.patch(VPPO_JOBS, "team", "demo", {"spec": {"learner": {"numSteps": 9}}})
    bench.look()
    assert bench.said("Accepted")[:2] == ("True", "Valid")
    assert bench.ray_job() is not None


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"scheduling": {"queue": "nights"}}, "UnknownQueue"),
        ({"placement": {"learner": {"pool": "moon"}}}, "UnknownPool"),
        ({"priority": "urgent"}, "UnknownPriority"),
        ({"placement": {"learner": {"gpus": 64}}}, "DoesNotFit"),
    ],
)
def test_what_the_platform_cannot_serve_waits_until_it_can(
    bench: Bench, spec: dict[str, Any], reason: str
) -> None:
    bench.submit(**spec)
    bench.look()
    assert bench.said("Accepted")[:2] == ("False", reason)
    assert bench.phase() == "Pending"
    assert bench.ray_job() is None
    before = len(bench.server.writes())
    bench.look()
    assert (len(bench.server.writes()), bench.told()) == (before, [reason])
    nodes = {"gpusPerNode": 64, "cpusPerNode": 64, "memoryMibPerNode": 65_536}
    pools = [{"name": name, "gpus": 64, "nodes": nodes} for name in ("gpu", "moon")]
    bench.operator.platform = PlatformSpec.model_validate(
        {
            "pools": pools,
            "queues": [{"name": "default", "pool": "gpu"}, {"name": "nights", "pool": "gpu"}],
            "priorities": [{"name": "urgent", "value": 9}],
            "cluster": {"image": "vppo:1"},
        }
    )
    bench.look()
    assert bench.said("Accepted")[:2] == ("True", "Valid")
    assert bench.ray_job() is not None


def test_a_refused_job_can_be_cancelled(bench: Bench) -> None:
    bench.submit(scheduling={"queue": "nights"}, desiredState="Cancelled")
    bench.look()
    assert bench.phase() == "Cancelled"


def test_without_kuberay_it_says_so_and_starts_when_kuberay_comes(bench: Bench) -> None:
    bench.server.not_served.add(RAY_JOBS)
    bench.submit()
    wait = bench.look()
    assert bench.said("Queued")[:2] == ("True", "KubeRayMissing")
    assert "install KubeRay" in bench.said("Queued")[2]
    assert wait is not None
    assert bench.server.store.list(CONFIG_MAPS) == []
    bench.server.not_served.clear()
    bench.look(after=wait)
    assert bench.ray_job() is not None


@pytest.mark.parametrize(
    "error", [BadObjectError("unknown field spec.x"), KubeForbiddenError("exceeded quota")]
)
def test_what_the_server_refuses_is_told_and_tried_again_quietly(bench: Bench, error: Any) -> None:
    bench.submit()
    bench.server.fail_next(error, verb="create", kind=RAY_JOBS)
    assert bench.look() == 0.0
    wait = bench.look()
    status, reason, message = bench.said("Queued")
    assert (status, reason) == ("True", "AttemptRefused")
    assert str(error) in message
    assert wait is not None
    bench.server.fail_next(error, verb="create", kind=RAY_JOBS)
    version = bench.job["metadata"]["resourceVersion"]
    wait = bench.look(after=wait)
    assert bench.job["metadata"]["resourceVersion"] == version  # no flapping between two phases
    bench.look(after=wait or 0.0)
    assert bench.ray_job() is not None
    assert bench.phase() == "Starting"


def test_an_object_of_an_earlier_job_is_waited_for(bench: Bench) -> None:
    old = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "demo-a1", "namespace": "team"},
    }
    bench.server.store.create(CONFIG_MAPS, old)
    bench.submit()
    assert bench.look() is not None
    assert bench.ray_job() is None
    bench.server.store.delete(CONFIG_MAPS, "team", "demo-a1")
    bench.look()
    assert bench.ray_job() is not None


def test_a_status_that_nobody_can_read_is_left_alone(bench: Bench) -> None:
    bench.submit()
    bench.server.store.patch(
        VPPO_JOBS, "team", "demo", {"status": {"phase": "Dreaming"}}, subresource="status"
    )
    with pytest.raises(ValueError, match="must be as the operator writes it"):
        bench.look()
    assert bench.ray_job() is None


def test_what_a_newer_operator_wrote_is_no_hindrance(bench: Bench) -> None:
    bench.submit()
    news = {"status": {"phase": "Pending", "moon": "full", "progress": {"mood": "good"}}}
    bench.server.store.patch(VPPO_JOBS, "team", "demo", news, subresource="status")
    bench.look()
    assert bench.ray_job() is not None
