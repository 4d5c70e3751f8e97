"""Ray for one run: a cluster that is there already, or a node of its own on this machine."""

import logging
import os
from collections.abc import Mapping
from typing import Any, Final

import ray

from vppo_core.spec.placement import PoolSpec
from vppo_services.transport.role_nodes import has_nodes_of, resource_of

# What Ray's own default is; every process sends a few kilobytes to the agent of its node.
_REPORT_MILLISECONDS: Final = 10_000


def start_ray(
    *, cpus: int, object_store_mib: int, environment: Mapping[str, str] | None = None
) -> None:
    """Join the cluster that RAY_ADDRESS names, or start Ray on this machine for this run alone.

    Ray takes over SIGTERM of the process that calls this.

    Args:
        cpus: what all roles ask for together; a machine with fewer is told that it has as many.
        object_store_mib: shared memory for batches, where a node is started.
        environment: variables that all roles get besides.
    """
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    runtime = {"env_vars": quiet | dict(environment or {})}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(runtime_env=runtime, log_to_driver=False, logging_level=logging.ERROR)
        return
    ray.init(
        address="local",
        num_cpus=max(cpus, os.cpu_count() or 1),
        object_store_memory=object_store_mib * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env=runtime,
        _system_config={"metrics_report_interval_ms": _REPORT_MILLISECONDS},
    )


def metrics_urls() -> list[str]:
    """Addresses at which the agents of the live nodes show what roles and nodes measure."""
    is_own = not os.environ.get("RAY_ADDRESS")
    pages = [
        ("127.0.0.1" if is_own else node["NodeManagerAddress"], node.get("MetricsExportPort"))
        for node in ray.nodes()
        if node["Alive"]
    ]
    return [f"http://{host}:{port}/metrics" for host, port in pages if port]


def stop_ray() -> None:
    """Leave the cluster, or end the node; nothing happens where Ray was not started."""
    ray.shutdown()


def pool_options(pool: PoolSpec, role: str) -> dict[str, Any]:
    """Ray's options of one process of a pool; where nodes are made for roles, on one of its own."""
    threads = {"OMP_NUM_THREADS": str(pool.cpus), "MKL_NUM_THREADS": str(pool.cpus)}
    options: dict[str, Any] = {
        "num_cpus": pool.cpus,
        "num_gpus": pool.gpus,
        "runtime_env": {"env_vars": threads},
    }
    if has_nodes_of(role):
        options["resources"] = {resource_of(role): 1}
    return options
