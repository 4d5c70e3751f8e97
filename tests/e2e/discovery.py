"""What the Prometheus operator, or a plain Prometheus in the cluster, makes of pods: targets of a
real Prometheus beside the cluster, which reaches them through the API server.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.dashboards.live.prometheus import Prometheus, prometheus
from tests.e2e.tools import HELM, NAMESPACE, ROOT, Kubectl, run

SCRAPE_SECONDS = 5
"""Through the API server of a busy machine an answer takes a while."""

_META = "__meta_kubernetes_"


@dataclass(frozen=True, slots=True)
class Watching:
    """A Prometheus that is told of the pods there are, as its own discovery would tell it."""

    prometheus: Prometheus
    _targets: Path

    def see(self, pods: list[dict[str, Any]]) -> None:
        """These pods are there now."""
        found = [target for pod in pods if pod["status"].get("podIP") for target in _targets(pod)]
        partial = self._targets.with_suffix(".partial")
        partial.write_text(json.dumps(found))
        partial.replace(self._targets)

    def labels(self, query: str, label: str) -> set[str]:
        """Values of a label in the series that a query finds now."""
        found = self.prometheus.ask("query", query=query)["result"]
        return {one["metric"].get(label, "") for one in found}


@contextmanager
def watching(folder: Path, kubectl: Kubectl) -> Iterator[Watching]:
    """A Prometheus with the scrapes of the chart's PodMonitor, and those of `helm/values`.

    The label `by` tells them apart: `monitor` or `plain`.
    """
    targets = folder / "pods.json"
    targets.write_text("[]")
    with _proxy(kubectl) as address:
        scrapes = [*_of_monitor(_pod_monitor()), *_of_values()]
        for scrape in scrapes:
            scrape.pop("kubernetes_sd_configs", None)
            scrape["file_sd_configs"] = [{"files": [str(targets)], "refresh_interval": "1s"}]
            scrape["relabel_configs"] += _through(address)
        every = f"{SCRAPE_SECONDS}s"
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every},
            "scrape_configs": scrapes,
        }
        with prometheus(folder, config) as server:
            yield Watching(server, targets)


def _pod_monitor() -> dict[str, Any]:
    text = run(
        *(HELM, "template", "vppo", str(ROOT / "charts" / "vppo"), f"--namespace={NAMESPACE}"),
        *("--set=monitoring.enabled=true", "--api-versions=monitoring.coreos.com/v1/PodMonitor"),
        "--show-only=templates/monitoring/pod_monitor.yaml",
    )
    spec: dict[str, Any] = yaml.safe_load(text)["spec"]
    return spec


def _of_monitor(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Scrapes as the Prometheus operator writes them for a PodMonitor (its `promcfg.go`)."""
    selected = [
        _keep(f"{_META}pod_labelpresent_{_name(one['key'])}", "true")
        for one in spec["selector"]["matchExpressions"]
        if one["operator"] == "Exists"
    ]
    assert len(selected) == len(spec["selector"]["matchExpressions"])
    assert set(spec["selector"]) == {"matchExpressions"}
    namespaces = spec["namespaceSelector"].get("matchNames", [".+"])
    for number, endpoint in enumerate(spec["podMetricsEndpoints"]):
        yield {
            "job_name": f"podMonitor/{number}",
            "honor_labels": endpoint["honorLabels"],
            "relabel_configs": [
                *selected,
                _keep(f"{_META}namespace", "|".join(namespaces)),
                _keep(f"{_META}pod_container_port_name", endpoint["port"]),
                _copy(f"{_META}namespace", "namespace"),
                _copy(f"{_META}pod_name", "pod"),
                {"target_label": "endpoint", "replacement": endpoint["port"]},
                *map(_snake, endpoint["relabelings"]),
                {"target_label": "by", "replacement": "monitor"},
            ],
        }


def _of_values() -> Iterator[dict[str, Any]]:
    values = yaml.safe_load((ROOT / "helm" / "values" / "prometheus.yaml").read_text())
    for scrape in yaml.safe_load(values["extraScrapeConfigs"]):
        if scrape["kubernetes_sd_configs"] == [{"role": "pod"}]:
            scrape["relabel_configs"].append({"target_label": "by", "replacement": "plain"})
            yield scrape


def _targets(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A target for each port that a pod declares, with the labels of Prometheus' discovery."""
    meta, address = pod["metadata"], pod["status"]["podIP"]
    labels = {
        f"{_META}namespace": meta["namespace"],
        f"{_META}pod_name": meta["name"],
        f"{_META}pod_ip": address,
    }
    for name, value in meta["labels"].items():
        labels[f"{_META}pod_label_{_name(name)}"] = value
        labels[f"{_META}pod_labelpresent_{_name(name)}"] = "true"
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", []):
            yield {
                "targets": [f"{address}:{port['containerPort']}"],
                "labels": {**labels, f"{_META}pod_container_port_name": port.get("name", "")},
            }


def _through(proxy: str) -> list[dict[str, Any]]:
    """Read a pod's port through the API server: addresses of pods need not be reachable here."""
    return [
        _copy("__address__", "instance"),
        {
            "source_labels": ["__address__", f"{_META}namespace", f"{_META}pod_name"],
            "regex": r"[^;]+:(\d+);(.+);(.+)",
            "target_label": "__metrics_path__",
            "replacement": "/api/v1/namespaces/$2/pods/$3:$1/proxy/metrics",
        },
        {"target_label": "__address__", "replacement": proxy},
    ]


@contextmanager
def _proxy(kubectl: Kubectl) -> Iterator[str]:
    process = subprocess.Popen(
        [kubectl.program, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(timeout=10)


def _name(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", label)


def _keep(label: str, regex: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": regex, "action": "keep"}


def _copy(label: str, target: str) -> dict[str, Any]:
    return {"source_labels": [label], "target_label": target}


def _snake(rule: dict[str, Any]) -> dict[str, Any]:
    return {re.sub("[A-Z]", lambda found: "_" + found[0].lower(), n): v for n, v in rule.items()}
