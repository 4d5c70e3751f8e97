"""What Helm makes of the chart, parsed; each rendering is made once."""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.platform_file import load_platform

ROOT: Final = Path(__file__).parents[3]
CHART: Final = ROOT / "charts" / "vppo"
HELM: Final = Path(sys.executable).with_name("helm")
NAMESPACE: Final = "ml"
MONITORS: Final = (
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PodMonitor",
    "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
)
POSTGRES: Final = (
    "--set=archive.kind=postgres",
    "--set=archive.postgres.existingSecret=db",
    "--set=state.persistence.enabled=false",
)


def profile(name: str) -> str:
    return f"--values={ROOT / 'helm' / 'values' / f'{name}.yaml'}"


PROFILES: Final[dict[str, tuple[str, ...]]] = {
    "default": (),
    "kind": (profile("kind"),),
    "test": (profile("test"),),
    "h100": (profile("h100"), *MONITORS),
    "postgres": POSTGRES,
    "two-operators": (*POSTGRES, "--set=operator.replicas=2"),
    "whole-cluster": ("--set=rbac.scope=cluster", "--set=platform.cluster.kueue=true"),
    "two-namespaces": ("--set=watchNamespaces={team-a,team-b}",),
    "closed": ("--set=networkPolicy.enforced=true", "--set=mlflow.enabled=true"),
    "ingress": ("--set=ingress.enabled=true,ingress.host=vppo.example,ingress.tlsSecret=tls",),
    "gateway": ("--set=httpRoute.enabled=true", "--set=httpRoute.parentRefs[0].name=public"),
    "own-certificate": ("--set=receiver.certificate.existingSecret=mine",),
    "cert-manager": (
        "--set=receiver.certificate.certManager.enabled=true",
        "--set=receiver.certificate.certManager.issuerName=ca",
    ),
    "dev": (
        *(option for option in POSTGRES if "Secret" not in option),
        "--set=dev=true",
        "--set=archive.postgres.url=postgresql+psycopg://vppo:secret@db/vppo",
    ),
}

Document = dict[str, Any]


@functools.cache
def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


def template(*options: str) -> subprocess.CompletedProcess[str]:
    return helm("template", "vppo", str(CHART), f"--namespace={NAMESPACE}", *options)


def documents(*options: str) -> list[Document]:
    """All objects, those of hooks included."""
    done = template(*options)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_profile(name: str) -> list[Document]:
    return documents(*PROFILES[name])


def of_kind(objects: list[Document], kind: str) -> dict[str, Document]:
    """Objects of a kind by `namespace/name`, or `name` alone in the release's namespace."""
    return {name_of(document): document for document in objects if document["kind"] == kind}


def name_of(document: Document) -> str:
    metadata = document["metadata"]
    namespace = metadata.get("namespace", NAMESPACE)
    return metadata["name"] if namespace == NAMESPACE else f"{namespace}/{metadata['name']}"


def pods_of(objects: list[Document]) -> dict[str, Document]:
    """Every pod or pod template, with `metadata` and `spec`."""
    return {
        f"{document['kind']}/{name_of(document)}": (
            document if document["kind"] == "Pod" else document["spec"]["template"]
        )
        for document in objects
        if document["kind"] in ("Deployment", "Job", "Pod", "StatefulSet", "DaemonSet")
    }


def containers_of(objects: list[Document]) -> dict[str, Document]:
    """Containers by name; each name is used once in a release."""
    return {
        container["name"]: container
        for pod in pods_of(objects).values()
        for container in pod["spec"]["containers"]
    }


def environment_of(container: Document) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def platform_of(objects: list[Document]) -> PlatformSpec:
    """The platform that API and operator read, as they read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "platform.yaml"
        path.write_text(of_kind(objects, "ConfigMap")["vppo-platform"]["data"]["platform.yaml"])
        return load_platform(path)


def selects(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector takes an object with these labels."""
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] in ("In", "Exists") for one in expressions)
    return all(
        labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()
    ) and all(
        one["key"] in labels
        and (one["operator"] == "Exists" or labels[one["key"]] in one["values"])
        for one in expressions
    )
