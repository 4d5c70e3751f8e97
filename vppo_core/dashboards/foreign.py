"""Metrics that others export and our panels read: Ray, vLLM, Kubernetes, NVIDIA."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from vppo_core.catalogue import Kind


@dataclass(frozen=True, slots=True)
class Foreign:
    """One metric of somebody else."""

    name: str  # in Prometheus, without the suffixes of a histogram
    kind: Kind
    labels: tuple[str, ...]
    source: str  # program that exports it
    help: str


_GAUGE, _COUNTER, _HISTOGRAM = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM
_RAY: Final = "Ray 2.60, agent of each node"
_GPU: Final = "Ray 2.60, agent of each node with GPUs"
_VLLM: Final = "vLLM 0.32, through Ray's agent"
_KUBE: Final = "kube-state-metrics 2"
_DCGM: Final = "dcgm-exporter 4"
_NODE: Final = ("ip",)
_CARD: Final = ("ip", "GpuIndex", "GpuDeviceName")
_ENGINE: Final = ("model_name", "engine")
_POD: Final = ("namespace", "pod", "container")

_ALL: Final = (
    # Memory of GPUs is in MiB, whatever Ray's own help says.
    Foreign("ray_node_gpus_available", _GAUGE, _CARD, _GPU, "1 for each GPU."),
    Foreign("ray_node_gpus_utilization", _GAUGE, _CARD, _GPU, "Use of a GPU, percent."),
    Foreign("ray_node_gram_used", _GAUGE, _CARD, _GPU, "Used memory of a GPU, MiB."),
    Foreign("ray_node_gram_available", _GAUGE, _CARD, _GPU, "Free memory of a GPU, MiB."),
    Foreign("ray_node_gpu_power_milliwatts", _GAUGE, _CARD, _GPU, "Power of a GPU."),
    Foreign("ray_node_gpu_temperature_celsius", _GAUGE, _CARD, _GPU, "Temperature of a GPU."),
    Foreign("ray_node_cpu_utilization", _GAUGE, _NODE, _RAY, "Use of the CPUs, percent."),
    Foreign("ray_node_mem_used", _GAUGE, _NODE, _RAY, "Used memory of the pod, bytes."),
    Foreign("ray_node_mem_total", _GAUGE, _NODE, _RAY, "Memory of the pod, bytes."),
    Foreign("ray_node_disk_usage", _GAUGE, _NODE, _RAY, "Used disk, bytes."),
    Foreign("ray_node_disk_free", _GAUGE, _NODE, _RAY, "Free disk, bytes."),
    Foreign("ray_node_network_receive_speed", _GAUGE, _NODE, _RAY, "Bytes per second."),
    Foreign("ray_node_network_send_speed", _GAUGE, _NODE, _RAY, "Bytes per second."),
    Foreign("ray_object_store_memory", _GAUGE, ("Location",), _RAY,
        "Bytes of objects, by where they are."),
    Foreign("ray_spill_manager_objects_bytes", _GAUGE, ("State",), _RAY,
        "Bytes of objects on the way to disk and back."),
    Foreign("ray_memory_manager_worker_eviction_total", _COUNTER, ("Type", "Name"), _RAY,
        "Processes that Ray killed for want of memory; absent until the first."),
    Foreign("ray_cluster_active_nodes", _GAUGE, ("node_type",), _RAY, "Nodes of Ray's cluster."),
    Foreign("ray_vllm_num_requests_running", _GAUGE, _ENGINE, _VLLM, "Answers being sampled."),
    Foreign("ray_vllm_num_requests_waiting", _GAUGE, _ENGINE, _VLLM, "Answers that wait."),
    Foreign("ray_vllm_kv_cache_usage_perc", _GAUGE, _ENGINE, _VLLM, "1 when the cache is full."),
    Foreign("ray_vllm_num_preemptions_total", _COUNTER, _ENGINE, _VLLM,
        "Answers begun again for want of cache."),
    Foreign("ray_vllm_prompt_tokens_total", _COUNTER, _ENGINE, _VLLM, "Tokens of prompts."),
    Foreign("ray_vllm_generation_tokens_total", _COUNTER, _ENGINE, _VLLM, "Tokens sampled."),
    Foreign("ray_vllm_prefix_cache_queries_total", _COUNTER, _ENGINE, _VLLM, "Tokens looked up."),
    Foreign("ray_vllm_prefix_cache_hits_total", _COUNTER, _ENGINE, _VLLM, "Tokens found."),
    Foreign("ray_vllm_time_to_first_token_seconds", _HISTOGRAM, _ENGINE, _VLLM,
        "From the request to its first token."),
    Foreign("ray_vllm_request_time_per_output_token_seconds", _HISTOGRAM, _ENGINE, _VLLM,
        "Of a request: mean time from token to token."),
    Foreign("ray_vllm_e2e_request_latency_seconds", _HISTOGRAM, _ENGINE, _VLLM,
        "From the request to its last token."),
    Foreign("kube_pod_container_status_restarts_total", _COUNTER, _POD, _KUBE,
        "Restarts of a container."),
    Foreign("kube_pod_container_status_last_terminated_reason", _GAUGE, (*_POD, "reason"), _KUBE,
        "1 for the reason that the container ended with."),
    Foreign("kube_pod_status_phase", _GAUGE, ("namespace", "pod", "phase"), _KUBE,
        "1 for the phase of the pod."),
    Foreign("kube_node_status_condition", _GAUGE, ("node", "condition", "status"), _KUBE,
        "1 for the status of each condition."),
    Foreign("DCGM_FI_DEV_GPU_UTIL", _GAUGE, ("Hostname", "gpu"), _DCGM, "Use, percent."),
    Foreign("DCGM_FI_DEV_POWER_USAGE", _GAUGE, ("Hostname", "gpu"), _DCGM, "Power, watt."),
    Foreign("DCGM_FI_DEV_XID_ERRORS", _GAUGE, ("Hostname", "gpu"), _DCGM,
        "Number of the last error that the driver reported; 0 for none."),
)  # fmt: skip

FOREIGN: Final[Mapping[str, Foreign]] = MappingProxyType({entry.name: entry for entry in _ALL})
"""By name. `up` and `ALERTS`, which Prometheus itself makes, are known to every reader."""
