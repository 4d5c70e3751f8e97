"""Nodes that are made for one role: a cluster counts their processes as `vppo_<role>`."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import ray

from vppo_core.errors import RoleTimeoutError
from vppo_core.spec.placement import PlacementSpec, PoolSpec

ROLES: Final = ("rollout", "reward", "dependency", "learner")
_LOOK_SECONDS: Final = 1.0

Resources = Mapping[str, float]


def resource_of(role: str) -> str:
    """Name of the Ray resource of which each process of a role takes one."""
    return f"vppo_{role}"


def has_nodes_of(role: str) -> bool:
    """Whether this cluster has nodes for the role; on one machine there are none."""
    return bool(_nodes_of(role))


def node_parts(pool: PoolSpec, role: str) -> list[tuple[PoolSpec, dict[str, Any]]]:
    """A pool whose processes belong to one Ray process, cut by nodes; with Ray's options of each.

    On one machine it is one part.
    """
    nodes = _nodes_of(role)
    if not nodes:
        return [(pool, {})]
    parts: list[tuple[PoolSpec, dict[str, Any]]] = []
    left = pool.replicas
    for node in sorted(nodes, key=lambda one: _room(one, pool, role), reverse=True):
        count = min(left, _room(node, pool, role))
        if count > 0:
            part = pool.model_copy(update={"replicas": count})
            parts.append((part, {"resources": {resource_of(role): count}}))
            left -= count
    if left:
        raise RoleTimeoutError(_missing({role: pool}) + "; look at the pods of its worker group")
    return parts


def await_roles(
    placement: PlacementSpec,
    *,
    timeout_seconds: float,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until the cluster has room for every process of every role.

    Raises:
        RoleTimeoutError: it has not in time; the message says what is missing.
    """
    pools: dict[str, PoolSpec] = {role: getattr(placement, role) for role in ROLES}
    until = clock() + timeout_seconds
    while missing := _missing(pools):
        if clock() >= until:
            raise RoleTimeoutError(
                f"the cluster must have room for all roles within {timeout_seconds:.0f} s, got "
                f"{missing}; look at the pods of the worker groups, or raise learner.timeoutSeconds"
            )
        pause(_LOOK_SECONDS)


def _missing(pools: Mapping[str, PoolSpec]) -> str:
    lacks = []
    for role, pool in pools.items():
        room = sum(_room(node, pool, role) for node in _nodes_of(role))
        if room < pool.replicas:
            gpus = f" and {pool.gpus} GPUs" if pool.gpus else ""
            lacks.append(
                f"room for {room} of {pool.replicas} {role} processes of {pool.cpus} CPUs{gpus}"
            )
    return ", ".join(lacks)


def _room(node: Resources, pool: PoolSpec, role: str) -> int:
    """Processes of a pool that fit on a node."""
    fits = [node.get(resource_of(role), 0.0), node.get("CPU", 0.0) // pool.cpus]
    if pool.gpus:
        fits.append(node.get("GPU", 0.0) // pool.gpus)
    return int(min(fits))


def _nodes_of(role: str) -> Sequence[Resources]:
    """Resources of each live node that was made for the role."""
    return [
        node["Resources"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get(resource_of(role))
    ]
