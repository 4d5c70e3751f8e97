"""Roles on nodes of their own: they are awaited, and each process goes where it belongs."""

from typing import Any

import pytest
import ray

from vppo_core.errors import RoleTimeoutError
from vppo_core.spec.placement import PlacementSpec, PoolSpec
from vppo_services.transport.node import pool_options
from vppo_services.transport.role_nodes import await_roles, node_parts

HEAD = {"node:__internal_head__": 1.0, "memory": 1e9}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Nodes of the cluster; a test adds some."""
    found: list[dict[str, Any]] = [{"Alive": True, "Resources": HEAD}]
    monkeypatch.setattr(ray, "nodes", lambda: found)
    return found


def node(role: str, processes: float, *, cpus: float = 8, gpus: float = 0) -> dict[str, Any]:
    resources = {f"vppo_{role}": processes, "CPU": cpus, "memory": 1e9}
    return {"Alive": True, "Resources": resources | ({"GPU": gpus} if gpus else {})}


def test_a_cluster_that_is_there_is_not_awaited(nodes: list[dict[str, Any]]) -> None:
    nodes += [node(role, 1.0) for role in ("rollout", "reward", "dependency", "learner")]
    await_roles(PlacementSpec(), timeout_seconds=0.0)


def test_roles_are_awaited_until_they_are_there_or_named(nodes: list[dict[str, Any]]) -> None:
    placement = PlacementSpec(
        rollout=PoolSpec(replicas=4, gpus=2, cpus=4), learner=PoolSpec(replicas=2)
    )
    nodes += [node("reward", 1.0), node("dependency", 1.0), node("learner", 2.0)]
    nodes += [node("rollout", 2.0, gpus=4), {**node("rollout", 2.0, gpus=4), "Alive": False}]
    seconds = [0.0]

    def pause(took: float) -> None:
        seconds[0] += took
        if seconds[0] == 20.0:
            nodes.append(node("rollout", 2.0, gpus=4))

    await_roles(placement, timeout_seconds=60.0, pause=pause, clock=lambda: seconds[0])
    assert seconds[0] == 20.0

    nodes.pop()
    seconds[0] = 30.0
    with pytest.raises(RoleTimeoutError) as raised:
        await_roles(placement, timeout_seconds=60.0, pause=pause, clock=lambda: seconds[0])
    assert seconds[0] == 90.0
    assert str(raised.value) == (
        "the cluster must have room for all roles within 60 s, got room for 2 of 4 rollout "
        "processes of 4 CPUs and 2 GPUs; look at the pods of the worker groups, or raise "
        "learner.timeoutSeconds"
    )


@pytest.mark.parametrize(
    "small",
    [
        pytest.param(node("learner", 2.0, cpus=3.0), id="cpus"),
        pytest.param(node("learner", 2.0, gpus=1.0), id="gpus"),
        pytest.param(node("learner", 1.0, gpus=8.0), id="processes"),
    ],
)
def test_a_node_has_room_for_what_all_its_resources_allow(
    nodes: list[dict[str, Any]], small: dict[str, Any]
) -> None:
    nodes += [node("reward", 1.0), node("dependency", 1.0), node("rollout", 1.0), small]
    placement = PlacementSpec(learner=PoolSpec(replicas=2, cpus=2, gpus=1))
    with pytest.raises(RoleTimeoutError, match="of 2 learner processes"):
        await_roles(placement, timeout_seconds=0.0)


def test_a_process_asks_for_a_node_of_its_role_where_there_is_one(
    nodes: list[dict[str, Any]],
) -> None:
    pool = PoolSpec(cpus=2)
    assert "resources" not in pool_options(pool, "rollout")
    nodes.append(node("rollout", 1.0))
    assert pool_options(pool, "rollout")["resources"] == {"vppo_rollout": 1}
    assert "resources" not in pool_options(pool, "learner")


def test_graders_are_one_part_on_one_machine_and_one_a_node_on_a_cluster(
    nodes: list[dict[str, Any]],
) -> None:
    pool = PoolSpec(replicas=5, cpus=2)
    assert node_parts(pool, "reward") == [(pool, {})]
    nodes += [node("reward", 2.0), node("reward", 4.0), node("reward", 4.0, cpus=2.0)]
    parts = node_parts(pool, "reward")
    assert [(part.replicas, part.cpus, options) for part, options in parts] == [
        (4, 2, {"resources": {"vppo_reward": 4}}),
        (1, 2, {"resources": {"vppo_reward": 1}}),
    ]
    with pytest.raises(RoleTimeoutError, match="room for 7 of 9 reward processes"):
        node_parts(PoolSpec(replicas=9, cpus=2), "reward")
