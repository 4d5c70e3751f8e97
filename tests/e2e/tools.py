"""kubectl, Helm and the API of an installation, for the tests on a cluster."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("VPPO_TEST_IMAGE", "localhost/vppo:test")
HELM = str(Path(sys.executable).with_name("helm"))
NAMESPACE = "vppo-e2e"
TENANT = "vppo-tenant"
POLL_SECONDS = 0.5


class CommandFailed(AssertionError):
    """A command ended badly; the message has what it wrote."""


def run(*command: str, stdin: str | None = None, timeout: float = 900) -> str:
    ran = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    if ran.returncode:
        raise CommandFailed(f"{' '.join(command)}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}")
    return ran.stdout


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, namespace: str = NAMESPACE) -> None:
        assets = os.environ.get("KUBEBUILDER_ASSETS", "")
        self.program = shutil.which("kubectl") or str(Path(assets) / "kubectl")
        self.namespace = namespace

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 900) -> str:
        return run(self.program, "-n", self.namespace, *arguments, stdin=stdin, timeout=timeout)

    def apply(self, *documents: dict[str, Any]) -> str:
        return self("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def get(self, *what: str) -> Any:
        return json.loads(self("get", *what, "-o", "json"))

    def items(self, *what: str) -> list[dict[str, Any]]:
        return list(self.get(*what)["items"])

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get("vppojob", name)
        return found

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.job(name).get("status", {}))

    def step(self, name: str) -> int:
        return int(self.status(name).get("progress", {}).get("step", 0))

    def pods(self, job: str) -> list[dict[str, Any]]:
        return self.items("pods", "-l", f"vppo.io/job={job}")

    def wait(self, name: str, condition: str, seconds: int) -> None:
        try:
            self(
                "wait",
                f"--for=condition={condition}",
                f"vj/{name}",
                f"--timeout={seconds}s",
                timeout=seconds + 60,
            )
        except CommandFailed as error:
            raise AssertionError(f"{error}\n{self.story(name)}") from None

    def story(self, name: str) -> str:
        """What is known of a job that did not do as it should."""
        told = [yaml.safe_dump(self.status(name))]
        for command in (
            ("get", "pods,rayjobs,rayclusters", "-o", "wide"),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("logs", "-l", "app.kubernetes.io/name=vppo", "--all-containers", "--tail=60"),
        ):
            try:
                told.append(self(*command)[-6000:])
            except CommandFailed as error:
                told.append(str(error)[-1000:])
        return "\n".join(told)


def until(what: str, holds: Callable[[], Any], seconds: float, story: Callable[[], str]) -> Any:
    """The first true answer; what it is about and the story where there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {seconds:.0f} s: {what}\n{story()}")


@contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int) -> Iterator[str]:
    """Address on this machine of a port of a service."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        local = free.getsockname()[1]
    process = subprocess.Popen(
        [kubectl.program, "-n", kubectl.namespace, "port-forward", target, f"{local}:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "Forwarding" in line, line
        yield f"http://127.0.0.1:{local}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def api(address: str, token: str) -> httpx.Client:
    """The API with a caller's token."""
    return httpx.Client(
        base_url=address,
        headers={"authorization": f"Bearer {token}"},
        timeout=60.0,
        trust_env=False,
    )


def editor(kubectl: Kubectl) -> str:
    """Token of an account with the chart's role for editors in the namespace of the release."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "editor", "namespace": NAMESPACE},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "editor", "namespace": NAMESPACE},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "vppo-editor",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "editor", "namespace": NAMESPACE}],
    }
    kubectl.apply(account, binding)
    return kubectl("create", "token", "editor", "--duration=2h").strip()


def demo_job(name: str, **sections: Any) -> dict[str, Any]:
    """The demo, small: a step takes a second or two."""
    document: dict[str, Any] = yaml.safe_load(
        (ROOT / "helm" / "examples" / "demo-vppo.yaml").read_text()
    )
    document["metadata"] = {"name": name}
    spec = document["spec"]
    small: dict[str, Any] = {
        "rollout": {"promptsPerStep": 4, "maxConcurrentSequences": 32},
        "learner": {"numSteps": 6, "promptsPerUpdate": 4},
        "checkpoint": {"everySteps": 2},
        "evaluation": {"maxPrompts": 16},
        "scheduling": {"stopGraceSeconds": 120},
    }
    for given in (small, sections):
        for section, values in given.items():
            if isinstance(values, dict):
                spec[section] = {**spec.get(section, {}), **values}
            else:
                spec[section] = values
    return document


def install(*more: str) -> None:
    """Install or upgrade both charts with the values of the tests."""
    repository, _, tag = IMAGE.rpartition(":")
    images = [
        f"--set={image}.{key}={value}"
        for image in ("image", "jobImage")
        for key, value in (("repository", repository), ("tag", tag))
    ]
    run(HELM, "upgrade", "--install", "vppo-crds", str(ROOT / "charts" / "vppo-crds"))
    run(
        HELM, "upgrade", "--install", "vppo", str(ROOT / "charts" / "vppo"),
        "--namespace", NAMESPACE, "--create-namespace",
        "--values", str(ROOT / "helm" / "values" / "test.yaml"),
        *images, *more, "--wait", "--timeout", "10m",
    )  # fmt: skip


def remove(kubectl: Kubectl, *namespaces: str) -> None:
    """Jobs, release and namespaces; the kinds stay."""
    kubectl("delete", "vppojobs", "--all", "--ignore-not-found", "--timeout=500s")
    run(HELM, "uninstall", "vppo", "--namespace", NAMESPACE, "--ignore-not-found")
    for namespace in namespaces:
        # Not waited for: an aggregated API that is down somewhere holds every namespace up.
        kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
