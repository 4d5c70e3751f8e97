"""Rows of the cluster page that come from Kubernetes and from NVIDIA's exporter."""

from typing import Final

from vppo_core.dashboards.panel import Panel, Row, lines
from vppo_core.dashboards.promql import foreign, increase, mean, most, total
from vppo_core.dashboards.shared_parts import bad_from

_POD: Final = ("namespace", "pod")
# Targets of a job's pods carry its name; Kubernetes' own metrics know the pod alone.
_JOBS: Final = (
    'max by (namespace, pod, job_name) (up{job=~"vppo-runs|vppo-ray", job_name=~"$job_name"})'
)
_CARD: Final = ("Hostname", "gpu")
_CARD_NAME: Final = "{{Hostname}} GPU {{gpu}}"


def _of_jobs(expression: str) -> str:
    """Of the pods of jobs, with the name of the job."""
    return f"{expression} * on (namespace, pod) group_left (job_name) (0 * {_JOBS} + 1)"


KUBERNETES_ROW: Final = Row(
    title="Pods of jobs (empty without kube-state-metrics)",
    panels=(
        Panel(
            title="Restarts",
            description="Containers of jobs that began again.",
            queries=lines(
                _of_jobs(
                    total(increase(foreign("kube_pod_container_status_restarts_total")), *_POD)
                ),
                "{{job_name}} {{pod}}",
            ),
            thresholds=bad_from(1),
            width=6,
            least=0,
        ),
        Panel(
            title="Killed by the kernel",
            description="Containers whose last end was OOMKilled: the pod's memory is too small.",
            queries=lines(
                _of_jobs(
                    most(
                        foreign(
                            "kube_pod_container_status_last_terminated_reason", 'reason="OOMKilled"'
                        ),
                        *_POD,
                    )
                ),
                "{{job_name}} {{pod}}",
            ),
            thresholds=bad_from(1),
            width=6,
            least=0,
        ),
        Panel(
            title="Pods by phase",
            description="All pods of the namespaces. Pending for long: no node has room.",
            queries=lines(total(foreign("kube_pod_status_phase"), "phase"), "{{phase}}"),
            width=6,
            is_stacked=True,
            least=0,
        ),
        Panel(
            title="Nodes that are not ready",
            description="Nodes of the cluster whose kubelet does not report.",
            queries=lines(
                total(
                    foreign(
                        "kube_node_status_condition", 'condition="Ready"', 'status=~"false|unknown"'
                    )
                ),
                "nodes",
            ),
            thresholds=bad_from(1),
            width=6,
            least=0,
        ),
    ),
)

DCGM_ROW: Final = Row(
    title="GPUs of the cluster (empty without NVIDIA's exporter)",
    panels=(
        Panel(
            title="All GPUs: use",
            description="Mean of each node, whoever uses it.",
            queries=lines(
                f"{mean(foreign('DCGM_FI_DEV_GPU_UTIL'), 'Hostname')} / 100", "{{Hostname}}"
            ),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="All GPUs: power",
            description="All GPUs, by node.",
            queries=lines(total(foreign("DCGM_FI_DEV_POWER_USAGE"), "Hostname"), "{{Hostname}}"),
            unit="watt",
            least=0,
        ),
        Panel(
            title="Errors of the driver",
            description="Number (XID) of the last error of each GPU; 0 for none. 79: the GPU fell "
            "off the bus, drain the node.",
            queries=lines(most(foreign("DCGM_FI_DEV_XID_ERRORS"), *_CARD), _CARD_NAME),
            thresholds=bad_from(1),
            least=0,
        ),
    ),
)
