"""Dry runs: what would happen, and a hash to agree on it."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from vppo_core.spec.platform import PlatformSpec, PoolOffer, PriorityOffer, QueueOffer


@pytest.fixture
def gpu_job(minimal: dict[str, Any]) -> dict[str, Any]:
    one = {"gpus": 1}
    minimal["spec"] |= {
        "learner": {"numSteps": 100},
        "placement": {"rollout": one, "dependency": one, "learner": {"gpus": 1, "replicas": 2}},
    }
    return minimal


def plan_of(client: TestClient, job: dict[str, Any]) -> Any:
    reply = client.post("/jobs", params={"dryRun": "true"}, json=job)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_plan_creates_nothing(client: TestClient, gpu_job: dict[str, Any], store: Any) -> None:
    plan_of(client, gpu_job)
    assert store.records == []


def test_a_plan_says_what_would_happen(
    client: TestClient, gpu_job: dict[str, Any], store: Any
) -> None:
    store.step_seconds = 36.0
    plan = plan_of(client, gpu_job)
    assert plan["gpus"] == 4
    assert plan["queue"] == {"name": "default", "pool": "big", "waiting": 0, "isFree": True}
    assert plan["estimatedSeconds"] == 3600.0
    assert plan["price"] == {"perHour": 8.0, "estimated": 8.0}
    assert plan["process"]["kind"] == "Process"
    assert plan["job"]["spec"]["rollout"]["groupSize"] == 8
    assert plan["warnings"] == []


def test_what_nobody_knows_is_null(client: TestClient, gpu_job: dict[str, Any], store: Any) -> None:
    store.platform = PlatformSpec(pools=(PoolOffer(name="local", gpus=8),))
    plan = plan_of(client, gpu_job)
    assert plan["estimatedSeconds"] is None
    assert plan["price"] == {"perHour": None, "estimated": None}


def test_a_full_pool_is_not_free(client: TestClient, gpu_job: dict[str, Any], store: Any) -> None:
    store.busy = 2
    assert plan_of(client, gpu_job)["queue"] == {
        "name": "default",
        "pool": "big",
        "waiting": 2,
        "isFree": False,
    }


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        ({"model": {"source": "Qwen/Qwen2.5-VL-7B-Instruct"}}, "placement asks for no GPUs"),
        ({"activeDeadlineSeconds": 60}, "activeDeadlineSeconds is 60"),
        ({"checkpoint": {"everySteps": 1000}}, "checkpoint.everySteps is above"),
    ],
)
def test_a_plan_warns(
    client: TestClient, minimal: dict[str, Any], store: Any, spec: dict[str, Any], warning: str
) -> None:
    store.step_seconds = 10.0
    minimal["spec"] |= spec
    (found,) = plan_of(client, minimal)["warnings"]
    assert found.startswith(warning)


def test_a_job_is_created_if_its_plan_still_holds(
    client: TestClient, minimal: dict[str, Any]
) -> None:
    agreed = {"if-plan-match": plan_of(client, minimal)["planHash"]}
    minimal["spec"]["seed"] = 7
    refused = client.post("/jobs", json=minimal, headers=agreed)
    assert (refused.status_code, refused.json()["code"]) == (412, "plan_changed")
    assert refused.json()["param"] == "If-Plan-Match"
    minimal["spec"]["seed"] = 0
    assert client.post("/jobs", json=minimal, headers=agreed).status_code == 201


@pytest.mark.parametrize(
    ("platform", "is_same"),
    [
        pytest.param({"price_per_gpu_hour": 3.0}, False, id="price"),
        pytest.param({"gpus": 4}, False, id="size"),
        pytest.param({}, True, id="nothing"),
    ],
)
def test_a_plan_changes_with_what_the_platform_has_for_it(
    client: TestClient, minimal: dict[str, Any], store: Any, platform: dict[str, Any], is_same: bool
) -> None:
    minimal["spec"]["priority"] = "high"
    before = plan_of(client, minimal)["planHash"]
    pool = store.platform.pools[0].model_copy(update=platform)
    store.platform = store.platform.model_copy(
        update={"pools": (pool, PoolOffer(name="other")), "priorities": store.platform.priorities}
    )
    store.busy = 5
    assert (plan_of(client, minimal)["planHash"] == before) is is_same


def test_a_plan_changes_with_its_priority(
    client: TestClient, minimal: dict[str, Any], store: Any
) -> None:
    minimal["spec"]["priority"] = "high"
    before = plan_of(client, minimal)["planHash"]
    higher = (PriorityOffer(name="high", value=7),)
    store.platform = store.platform.model_copy(update={"priorities": higher})
    assert plan_of(client, minimal)["planHash"] != before
    store.platform = store.platform.model_copy(
        update={"queues": (QueueOffer(name="first", pool="big"),)}
    )
    assert plan_of(client, minimal)["queue"]["name"] == "first"
