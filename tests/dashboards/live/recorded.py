"""Pages for what cannot be had here: GPUs, vLLM, a cluster. Explicit, each with its reason."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from vppo_core.catalogue import EVERY, Kind
from vppo_core.dashboards.foreign import FOREIGN

NO_GPU: Final = "needs a GPU"
NO_VLLM: Final = "the check samples with transformers, to be quick"
NO_CLUSTER: Final = "needs Kubernetes"
NO_EXPORTER: Final = "needs NVIDIA's exporter"
NO_KILL: Final = "comes with the first process that Ray kills"
BUCKETS: Final = (0.01, 0.1, 1.0, 10.0)
POD: Final = "recorded-a1-worker"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One metric: a gauge stands at `value`, a counter grows by it in a second."""

    path: str
    name: str
    labels: str
    value: float
    reason: str


_CARD: Final = 'ip="192.0.2.2",GpuIndex="0",GpuDeviceName="NVIDIA H100"'
_ENGINE: Final = 'model_name="demo",engine="0"'
_POD: Final = f'namespace="default",pod="{POD}",container="ray"'
_DCGM: Final = 'Hostname="node-1",gpu="0"'

RECORDED: Final = (
    Recorded("/ray", "ray_node_gpus_available", _CARD, 1, NO_GPU),
    Recorded("/ray", "ray_node_gpus_utilization", _CARD, 83, NO_GPU),
    Recorded("/ray", "ray_node_gram_used", _CARD, 61_000, NO_GPU),
    Recorded("/ray", "ray_node_gram_available", _CARD, 20_000, NO_GPU),
    Recorded("/ray", "ray_node_gpu_power_milliwatts", _CARD, 512_000, NO_GPU),
    Recorded("/ray", "ray_node_gpu_temperature_celsius", _CARD, 61, NO_GPU),
    Recorded("/ray", EVERY["replica_gpu_memory_bytes"].series, 'role="learner",replica="0"',
             4e10, NO_GPU),
    Recorded("/ray", "ray_memory_manager_worker_eviction_total", 'Type="MemoryManager",Name="x"',
             0.01, NO_KILL),
    Recorded("/ray", "ray_vllm_num_requests_running", _ENGINE, 96, NO_VLLM),
    Recorded("/ray", "ray_vllm_num_requests_waiting", _ENGINE, 4, NO_VLLM),
    Recorded("/ray", "ray_vllm_kv_cache_usage_perc", _ENGINE, 0.6, NO_VLLM),
    Recorded("/ray", "ray_vllm_num_preemptions_total", _ENGINE, 0.1, NO_VLLM),
    Recorded("/ray", "ray_vllm_prompt_tokens_total", _ENGINE, 4000, NO_VLLM),
    Recorded("/ray", "ray_vllm_generation_tokens_total", _ENGINE, 9000, NO_VLLM),
    Recorded("/ray", "ray_vllm_prefix_cache_queries_total", _ENGINE, 4000, NO_VLLM),
    Recorded("/ray", "ray_vllm_prefix_cache_hits_total", _ENGINE, 3000, NO_VLLM),
    Recorded("/ray", "ray_vllm_time_to_first_token_seconds", _ENGINE, 3, NO_VLLM),
    Recorded("/ray", "ray_vllm_request_time_per_output_token_seconds", _ENGINE, 300, NO_VLLM),
    Recorded("/ray", "ray_vllm_e2e_request_latency_seconds", _ENGINE, 3, NO_VLLM),
    Recorded("/kube", "kube_pod_container_status_restarts_total", _POD, 0.01, NO_CLUSTER),
    Recorded("/kube", "kube_pod_container_status_last_terminated_reason",
             f'{_POD},reason="OOMKilled"', 1, NO_CLUSTER),
    Recorded("/kube", "kube_pod_status_phase", f'namespace="default",pod="{POD}",phase="Running"',
             1, NO_CLUSTER),
    Recorded("/kube", "kube_node_status_condition",
             'node="node-1",condition="Ready",status="false"', 0, NO_CLUSTER),
    Recorded("/dcgm", "DCGM_FI_DEV_GPU_UTIL", _DCGM, 83, NO_EXPORTER),
    Recorded("/dcgm", "DCGM_FI_DEV_POWER_USAGE", _DCGM, 512, NO_EXPORTER),
    Recorded("/dcgm", "DCGM_FI_DEV_XID_ERRORS", _DCGM, 0, NO_EXPORTER),
)  # fmt: skip

ABSENT: Final = {
    'vppo_api_requests_total{status=~"5.."}': "comes with the first reply of that kind",
}
"""Selectors of alerts that have no series while all is well, with the reason."""

REASONS: Final = {one.name: one.reason for one in RECORDED}
"""Why a metric is recorded, by its name without the suffixes of a histogram."""


def page(path: str, seconds: float) -> str:
    """The page after so many seconds, in Prometheus' text format."""
    return "".join(_text(one, seconds) for one in RECORDED if one.path == path)


def _text(one: Recorded, seconds: float) -> str:
    kind = _kind(one.name)
    grown = one.value * seconds
    head = f"# TYPE {one.name} {kind.value}\n"
    if kind is Kind.GAUGE:
        return f"{head}{one.name}{{{one.labels}}} {one.value}\n"
    if kind is Kind.COUNTER:
        return f"{head}{one.name}{{{one.labels}}} {grown}\n"
    share = 1 / (len(BUCKETS) + 1)
    rows = [
        f'{one.name}_bucket{{{one.labels},le="{bound}"}} {grown * share * index}\n'
        for index, bound in enumerate((*BUCKETS, "+Inf"), start=1)
    ]
    rows.append(f"{one.name}_count{{{one.labels}}} {grown}\n")
    return "".join([head, *rows, f"{one.name}_sum{{{one.labels}}} {grown}\n"])


def _kind(name: str) -> Kind:
    if name in FOREIGN:
        return FOREIGN[name].kind
    return next(entry.kind for entry in EVERY.values() if entry.series == name)


@contextmanager
def recorded_pages() -> Iterator[int]:
    """Serves all pages on the loopback; the port."""
    began = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page(self.path, time.monotonic() - began).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
