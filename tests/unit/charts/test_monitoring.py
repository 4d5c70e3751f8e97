"""What Prometheus and Grafana are told finds what there is: pods, services, files."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.charts.rendering import (
    CHART,
    MONITORS,
    ROOT,
    containers_of,
    documents,
    of_kind,
    of_profile,
    selects,
)
from vppo_core.spec.cluster import DRIVER_METRICS_PORT

ON = "--set=monitoring.enabled=true"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("attempt-*.yaml"))
ROLES = {"head", "rollout", "reward", "dependency", "learner"}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: apt-get install prometheus",
)


def pods_of_an_attempt(path: Path) -> dict[str, dict[str, Any]]:
    """Pod templates of a rendered attempt, by role."""
    job = next(one for one in yaml.safe_load_all(path.read_text()) if one["kind"] == "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    pods = [group["template"] for group in groups]
    return {pod["metadata"]["labels"]["vppo.io/role"]: pod for pod in pods}


def ports_of(pod: dict[str, Any]) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container["ports"]
    }


def pod_monitor() -> dict[str, Any]:
    return of_kind(documents(ON, *MONITORS), "PodMonitor")["vppo-jobs"]["spec"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_monitor_finds_every_pod_of_an_attempt(path: Path) -> None:
    monitor, pods = pod_monitor(), pods_of_an_attempt(path)
    assert set(pods) == ROLES
    wanted = [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]]
    for role, pod in pods.items():
        assert selects(monitor["selector"], pod["metadata"]["labels"]), role
        found = [port for port in wanted if port in ports_of(pod)]
        expected = ["metrics"] if role != "head" else wanted
        assert found == expected, role
    assert ports_of(pods["head"])["driver"] == DRIVER_METRICS_PORT


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_series_of_a_pod_say_whose_they_are(path: Path) -> None:
    for endpoint in pod_monitor()["podMetricsEndpoints"]:
        assert endpoint["honorLabels"] is True
        sources = {
            one["targetLabel"]: one["sourceLabels"][0]
            for one in endpoint["relabelings"]
            if "sourceLabels" in one
        }
        for pod in pods_of_an_attempt(path).values():
            labels = {
                "__meta_kubernetes_pod_label_" + re.sub(r"[^A-Za-z0-9]", "_", name)
                for name in pod["metadata"]["labels"]
            }
            assert {sources[name] for name in ("job_name", "attempt", "role")} <= labels


def test_scrape_jobs_have_the_names_that_alerts_and_dashboards_know() -> None:
    objects = documents(ON, *MONITORS, "--set=fullnameOverride=another")
    endpoints = [
        *of_kind(objects, "PodMonitor")["another-jobs"]["spec"]["podMetricsEndpoints"],
        *(
            endpoint
            for monitor in of_kind(objects, "ServiceMonitor").values()
            for endpoint in monitor["spec"]["endpoints"]
        ),
    ]
    names = {
        one["replacement"]
        for endpoint in endpoints
        for one in endpoint["relabelings"]
        if one["targetLabel"] == "job"
    }
    assert names == {"vppo-api", "vppo-operator", "vppo-runs", "vppo-ray"}
    known = set(
        re.findall(r"vppo-(?:api|operator|runs|ray)", (CHART / "rules/vppo.yaml").read_text())
    )
    assert known <= names


def test_dashboards_are_config_maps_with_the_sidecars_label() -> None:
    assert not [name for name in of_kind(documents(), "ConfigMap") if "dashboard" in name]
    labels = ("dashboards.label=wanted", "dashboards.labelValue=true", "dashboards.folder=ML")
    for options in ((), labels):
        objects = documents(ON, *(f"--set-string=monitoring.{option}" for option in options))
        found = {
            name: one for name, one in of_kind(objects, "ConfigMap").items() if "dashboard" in name
        }
        assert len(found) == len(list(CHART.glob("dashboards/*.json"))) == 5
        for one in found.values():
            label, value, folder = (
                ("wanted", "true", "ML") if options else ("grafana_dashboard", "1", "VPPO")
            )
            assert one["metadata"]["labels"][label] == value
            assert one["metadata"]["annotations"]["grafana_folder"] == folder
            (text,) = one["data"].values()
            assert len(text) < 1_000_000
            assert json.loads(text)["uid"].startswith("vppo-")
            assert "{{job_name}}" in text  # Grafana's, not Helm's


def _texts(*options: str) -> str:
    objects = documents(ON, "--set=monitoring.rules.configMap=true", *MONITORS, *options)
    maps = of_kind(objects, "ConfigMap")
    return "".join(
        text
        for name, one in maps.items()
        if name != "vppo-platform"
        for text in one["data"].values()
    )


def test_links_lead_to_the_installation() -> None:
    set_ = "--set=monitoring."
    text = _texts(
        f"{set_}grafanaUrl=https://g.example/",
        f"{set_}apiUrl=https://v.example",
        f"{set_}runbooksUrl=https://docs.example/runbooks.md",
    )
    assert "localhost" not in text.replace("curl localhost:8080", "")
    assert "https://v.example/ui/#/jobs/${job_name}" in text
    assert "https://g.example/d/vppo-job?" in text
    assert "https://docs.example/runbooks.md#VppoApiDown" in text


def test_without_addresses_links_stay_in_grafana() -> None:
    text = _texts()
    assert "http://localhost" not in text
    assert "/d/vppo-overview?viewPanel=999#VppoApiDown" in text
    ingress = ("--set=ingress.enabled=true,ingress.host=vppo.example,ingress.tlsSecret=tls",)
    assert "https://vppo.example/ui/#/jobs/" in _texts(*ingress)


def test_alerts_are_one_file_in_two_forms() -> None:
    committed = yaml.safe_load((CHART / "rules" / "vppo.yaml").read_text())["groups"]
    objects = documents(
        ON,
        "--set=monitoring.rules.configMap=true,monitoring.grafanaUrl=http://localhost:3000",
        "--set=monitoring.labels.release=prometheus",
        *MONITORS,
    )
    rule = of_kind(objects, "PrometheusRule")["vppo"]
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    mounted = yaml.safe_load(of_kind(objects, "ConfigMap")["vppo-rules"]["data"]["vppo.yaml"])
    assert rule["spec"] == mounted == {"groups": committed}
    off = documents(ON, "--set=monitoring.rules.enabled=false", *MONITORS)
    assert not of_kind(off, "PrometheusRule")


def plain_scrapes() -> dict[str, dict[str, Any]]:
    values = yaml.safe_load((ROOT / "helm" / "values" / "prometheus.yaml").read_text())
    return {one["job_name"]: one for one in yaml.safe_load(values["extraScrapeConfigs"])}


def _kept(scrape: dict[str, Any], meta: dict[str, str]) -> dict[str, str] | None:
    """What relabelling makes of a target; None where it is dropped."""
    meta = dict(meta)
    for rule in scrape["relabel_configs"]:
        value = ";".join(meta.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule.get("regex", "(.*)"), value)
        if rule.get("action") == "keep":
            if match is None:
                return None
        elif match:
            text = rule.get("replacement", "$1").replace("$1", match[1])
            meta[rule["target_label"]] = text
    return {name: value for name, value in meta.items() if not name.startswith("__meta")}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_plain_prometheus_finds_every_pod_of_an_attempt(path: Path) -> None:
    found: dict[str, set[str]] = {"vppo-runs": set(), "vppo-ray": set()}
    for role, pod in pods_of_an_attempt(path).items():
        meta = {
            "__meta_kubernetes_pod_label_" + re.sub(r"[^A-Za-z0-9]", "_", name): value
            for name, value in pod["metadata"]["labels"].items()
        } | {"__meta_kubernetes_namespace": "team", "__meta_kubernetes_pod_ip": "10.0.0.1"}
        for port, number in ports_of(pod).items():
            target = meta | {
                "__meta_kubernetes_pod_container_port_name": port,
                "__address__": f"10.0.0.1:{number}",
            }
            for name, scrape in plain_scrapes().items():
                if name in found and (labels := _kept(scrape, target)):
                    assert (labels["role"], labels["namespace"]) == (role, "team")
                    assert labels["job_name"]
                    assert labels["attempt"].isdigit()
                    found[name].add(f"{role} {labels['__address__'].partition(':')[2]}")
    assert found["vppo-runs"] == {f"head {DRIVER_METRICS_PORT}"}
    assert found["vppo-ray"] == {f"{role} 8080" for role in ROLES} | {"head 44227"}


def test_a_plain_prometheus_finds_api_and_operator() -> None:
    services = of_kind(of_profile("kind"), "Service").values()
    found = set()
    for service in services:
        labels = service["metadata"]["labels"]
        for port in service["spec"]["ports"]:
            meta = {
                "__meta_kubernetes_service_label_app_kubernetes_io_name": labels[
                    "app.kubernetes.io/name"
                ],
                "__meta_kubernetes_service_label_app_kubernetes_io_component": labels[
                    "app.kubernetes.io/component"
                ],
                "__meta_kubernetes_endpoint_port_name": port["name"],
            }
            found |= {name for name, one in plain_scrapes().items() if _kept(one, meta)}
    assert {"vppo-api", "vppo-operator"} <= found


def test_a_plain_prometheus_mounts_the_alerts_that_the_release_makes() -> None:
    values = yaml.safe_load((ROOT / "helm" / "values" / "prometheus.yaml").read_text())
    maps = of_kind(of_profile("kind"), "ConfigMap")
    for mount in values["server"]["extraConfigmapMounts"]:
        assert mount["configMap"] in maps
        assert (
            f"{mount['mountPath']}/*.yaml" in values["serverFiles"]["prometheus.yml"]["rule_files"]
        )
    grafana = yaml.safe_load((ROOT / "helm" / "values" / "grafana.yaml").read_text())
    sidecar = grafana["sidecar"]["dashboards"]
    labels = maps["vppo-dashboard-job"]["metadata"]["labels"]
    assert labels[sidecar["label"]] == sidecar["labelValue"]


@needs_promtool
def test_prometheus_takes_the_scrapes(tmp_path: Path) -> None:
    # Debian's build has no discovery of Kubernetes; all the rest is read.
    scrapes = [
        {name: value for name, value in one.items() if name != "kubernetes_sd_configs"}
        for one in plain_scrapes().values()
    ]
    text = yaml.safe_dump({"scrape_configs": scrapes})
    (tmp_path / "prometheus.yml").write_text(text)
    machine = ROOT / "helm" / "monitoring" / "prometheus.yaml"
    for path in (tmp_path / "prometheus.yml", machine):
        done = subprocess.run(
            ["promtool", "check", "config", path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_one_machine_shows_the_dashboards_and_alerts_of_the_chart() -> None:
    folder = ROOT / "helm" / "monitoring"
    compose = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    mounts = dict(one.split(":")[:2] for one in compose["grafana"]["volumes"])
    shown = {target: (folder / source).resolve() for source, target in mounts.items()}
    (provider,) = yaml.safe_load((folder / "grafana/dashboards/vppo.yaml").read_text())["providers"]
    assert shown[provider["options"]["path"]] == (CHART / "dashboards").resolve()
    assert shown["/etc/grafana/provisioning"] == (folder / "grafana").resolve()
    config = yaml.safe_load((folder / "prometheus.yaml").read_text())
    (rules,) = config["rule_files"]
    assert [path.name for path in folder.glob(rules)] == ["vppo.yaml"]
    (source,) = yaml.safe_load((folder / "grafana/datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://localhost:9090"
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]
    assert {one["job_name"] for one in config["scrape_configs"]} == {
        "vppo-api",
        "vppo-runs",
        "vppo-ray",
    }
    assert "8080" in str(config["scrape_configs"])
    assert containers_of(of_profile("default"))["api"]["ports"][0]["containerPort"] == 8080
