"""Processes on pods: all of them, alike, on as few nodes as hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.manifests.attempts import h100_platform, job_of
from vppo_core.manifests.groups import groups_of, pool_of_role, processes_per_pod
from vppo_core.spec.cluster import NodePool
from vppo_core.spec.placement import PoolSpec


@pytest.mark.parametrize(
    ("replicas", "cpus", "gpus", "processes"),
    [
        (4, 8, 1, 4),
        (8, 8, 1, 8),
        (16, 8, 1, 8),
        (12, 8, 1, 6),  # 8 would leave a pod of 4
        (3, 8, 4, 1),  # 2 fit, but do not divide 3
        (4, 8, 4, 2),
        (8, 48, 1, 2),  # CPUs are scarcer than GPUs
        (7, 1, 0, 7),
        (97, 1, 0, 1),  # a prime above the CPUs of a node
        (2, 200, 1, 1),  # fits nowhere, which check_cluster_job says
    ],
)
def test_processes_of_a_pod(replicas: int, cpus: int, gpus: int, processes: int) -> None:
    nodes = NodePool(gpus_per_node=8, cpus_per_node=96)
    process = PoolSpec(replicas=replicas, cpus=cpus, gpus=gpus)
    assert processes_per_pod(replicas, process, nodes) == processes


@given(
    replicas=st.integers(1, 500),
    cpus=st.integers(1, 32),
    gpus=st.integers(0, 8),
    nodes=st.builds(NodePool, gpus_per_node=st.integers(0, 16), cpus_per_node=st.integers(1, 128)),
)
def test_pods_are_alike_full_and_no_larger_than_a_node(
    replicas: int, cpus: int, gpus: int, nodes: NodePool
) -> None:
    process = PoolSpec(replicas=replicas, cpus=cpus, gpus=gpus)
    count = processes_per_pod(replicas, process, nodes)
    assert replicas % count == 0

    def fits(number: int) -> bool:
        return number * cpus <= nodes.cpus_per_node and number * gpus <= nodes.gpus_per_node

    assert fits(count) or count == 1
    assert not [n for n in range(count + 1, replicas + 1) if replicas % n == 0 and fits(n)]


def test_a_role_goes_to_its_pool() -> None:
    platform = h100_platform()
    spec = job_of(
        placement={
            "learner": {"gpus": 1},
            "rollout": {"replicas": 2},
            "dependency": {"pool": "h100"},
            "reward": {"pool": "gone"},
        }
    ).spec
    pools = {role: pool_of_role(role, spec, platform) for role in ("learner", "rollout")}
    assert {role: pool.name for role, pool in pools.items() if pool} == {
        "learner": "h100",  # that of the queue
        "rollout": "cpu",  # that of the platform, without GPUs
    }
    groups = {group.role: group.pool.name for group in groups_of(spec, platform)}
    assert groups == {"rollout": "cpu", "dependency": "h100", "learner": "h100"}


def test_without_a_cpu_pool_all_go_to_that_of_the_queue() -> None:
    platform = h100_platform(cpuPool="")
    groups = groups_of(job_of().spec, platform)
    assert {group.pool.name for group in groups} == {"h100"}


def test_memory_follows_gpus_or_else_cpus() -> None:
    placement = {"learner": {"replicas": 4, "cpus": 8, "gpus": 1}, "reward": {"replicas": 8}}
    groups = {g.role: g for g in groups_of(job_of(placement=placement).spec, h100_platform())}
    assert groups["learner"].memory_mib == 1_048_576 // 2
    assert groups["reward"].memory_mib == 65_536 // 2
    assert (groups["learner"].pods, groups["learner"].gpus, groups["learner"].cpus) == (1, 4, 32)


@pytest.mark.parametrize("wrong", [{"cpuPool": "gone"}, {"head": {"pool": "gone"}}])
def test_a_platform_names_pools_that_it_has(wrong: dict[str, object]) -> None:
    with pytest.raises(
        ValueError, match=r"[pP]ool must name .* got 'gone'; write one of cpu, h100"
    ):
        h100_platform(**wrong)
