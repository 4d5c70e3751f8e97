"""Cluster: what nodes, GPUs and pods of jobs do."""

from typing import Final

from vppo_core.dashboards.cluster_pods import DCGM_ROW, KUBERNETES_ROW
from vppo_core.dashboards.panel import Dashboard, Panel, Query, Row, lines
from vppo_core.dashboards.promql import foreign, increase, least, mean, most, own, share, total
from vppo_core.dashboards.shared_parts import (
    ALL_JOBS_PAGE,
    MARKS,
    bad_from,
    job_variables,
    same_jobs,
    warn_from,
)

_NODE: Final = ("job_name", "instance")
_ROLE: Final = ("job_name", "role")
_NODE_NAME: Final = "{{job_name}} {{instance}}"
_MIB: Final = 1024 * 1024
_USED: Final = foreign("ray_node_gram_used")
_FREE: Final = foreign("ray_node_gram_available")

_GPUS: Final = Row(
    title="GPUs of jobs (empty where there are none)",
    panels=(
        Panel(
            title="GPU use",
            description="Mean and least used GPU of each node. Low for long: the job waits for "
            "another role, see its time.",
            queries=(
                Query(
                    expression=f"{mean(foreign('ray_node_gpus_utilization'), *_NODE)} / 100",
                    legend=f"{_NODE_NAME} mean",
                ),
                Query(
                    expression=f"{least(foreign('ray_node_gpus_utilization'), *_NODE)} / 100",
                    legend=f"{_NODE_NAME} least",
                ),
            ),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="GPU use by role",
            description="Mean over the GPUs of a role.",
            queries=lines(
                f"{mean(foreign('ray_node_gpus_utilization'), *_ROLE)} / 100",
                "{{job_name}} {{role}}",
            ),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="GPU memory",
            description="Used share of the memory of each node's GPUs.",
            queries=lines(
                share(total(_USED, *_NODE), f"({total(_USED, *_NODE)} + {total(_FREE, *_NODE)})"),
                _NODE_NAME,
            ),
            unit="percentunit",
            thresholds=bad_from(0.97),
            least=0,
            most=1,
        ),
        Panel(
            title="GPU memory in bytes",
            description="Of the fullest GPU of a role, and what torch has reserved of it.",
            queries=(
                Query(
                    expression=f"{most(_USED, *_ROLE)} * {_MIB}",
                    legend="{{job_name}} {{role}} used",
                ),
                Query(
                    expression=most(own("replica_gpu_memory_bytes"), *_ROLE),
                    legend="{{job_name}} {{role}} torch",
                ),
            ),
            unit="bytes",
            least=0,
        ),
        Panel(
            title="GPU power",
            description="All GPUs of a job.",
            queries=lines(
                f"{total(foreign('ray_node_gpu_power_milliwatts'), 'job_name')} / 1000",
                "{{job_name}}",
            ),
            unit="watt",
            least=0,
        ),
        Panel(
            title="GPU temperature",
            description="The hottest GPU of each node.",
            queries=lines(most(foreign("ray_node_gpu_temperature_celsius"), *_NODE), _NODE_NAME),
            unit="celsius",
            thresholds=warn_from(80, 90),
        ),
    ),
)

_NODES: Final = Row(
    title="Nodes of jobs",
    panels=(
        Panel(
            title="Nodes",
            description="Nodes of each job's Ray cluster. Fewer than asked for: pods wait or died.",
            queries=lines(total(foreign("ray_cluster_active_nodes"), "job_name"), "{{job_name}}"),
            least=0,
        ),
        Panel(
            title="CPUs",
            description="Use of each node's CPUs.",
            queries=lines(f"{mean(foreign('ray_node_cpu_utilization'), *_NODE)} / 100", _NODE_NAME),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="Memory",
            description="Used share of the pod's memory. Full: Ray kills processes.",
            queries=lines(
                share(
                    total(foreign("ray_node_mem_used"), *_NODE),
                    total(foreign("ray_node_mem_total"), *_NODE),
                ),
                _NODE_NAME,
            ),
            unit="percentunit",
            thresholds=warn_from(0.85, 0.95),
            least=0,
            most=1,
        ),
        Panel(
            title="Memory of processes",
            description="Resident memory of each role's processes. One that only grows leaks.",
            queries=lines(
                most(own("replica_memory_bytes"), *_ROLE, "replica"),
                "{{job_name}} {{role}} {{replica}}",
            ),
            unit="bytes",
            least=0,
        ),
        Panel(
            title="Processes killed for want of memory",
            description="By Ray's memory monitor.",
            queries=lines(
                f"{total(increase(foreign('ray_memory_manager_worker_eviction_total')), *_NODE)}"
                f" or 0 * {total(foreign('ray_node_mem_total'), *_NODE)}",
                _NODE_NAME,
            ),
            thresholds=bad_from(1),
            least=0,
        ),
        Panel(
            title="Disk",
            description="Used share of each node's disk.",
            queries=lines(
                share(
                    total(foreign("ray_node_disk_usage"), *_NODE),
                    f"({total(foreign('ray_node_disk_usage'), *_NODE)} + "
                    f"{total(foreign('ray_node_disk_free'), *_NODE)})",
                ),
                _NODE_NAME,
            ),
            unit="percentunit",
            thresholds=warn_from(0.85, 0.95),
            least=0,
            most=1,
        ),
        Panel(
            title="Object store",
            description="Bytes of objects, by where they are.",
            queries=lines(
                total(foreign("ray_object_store_memory"), "job_name", "Location"),
                "{{job_name}} {{Location}}",
            ),
            unit="bytes",
            is_stacked=True,
            least=0,
        ),
        Panel(
            title="Spilled objects",
            description="Bytes on the way to disk and back. More than none: the object store is "
            "too small, placement.objectStoreMib.",
            queries=lines(
                total(foreign("ray_spill_manager_objects_bytes"), "job_name", "State"),
                "{{job_name}} {{State}}",
            ),
            unit="bytes",
            least=0,
        ),
        Panel(
            title="Network",
            description="Received, and sent below the axis.",
            queries=(
                Query(
                    expression=total(foreign("ray_node_network_receive_speed"), *_NODE),
                    legend=f"{_NODE_NAME} received",
                ),
                Query(
                    expression=f"-{total(foreign('ray_node_network_send_speed'), *_NODE)}",
                    legend=f"{_NODE_NAME} sent",
                ),
            ),
            unit="Bps",
        ),
    ),
)

CLUSTER: Final = Dashboard(
    uid="vppo-cluster",
    title="VPPO / Cluster",
    description="GPUs, nodes and pods of jobs, as Ray, Kubernetes and NVIDIA see them.",
    variables=job_variables("step", is_single=False),
    rows=(_GPUS, _NODES, KUBERNETES_ROW, DCGM_ROW),
    marks=MARKS,
    links=(ALL_JOBS_PAGE, ("The job", same_jobs("vppo-job"))),
)
