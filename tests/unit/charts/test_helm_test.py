"""What `helm test` asks, and that it fails when an answer is wrong."""

import importlib.util
import json
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.charts.rendering import (
    CHART,
    PROFILES,
    containers_of,
    environment_of,
    of_kind,
    of_profile,
    platform_of,
)
from vppo_core.manifests.check import check_cluster_job
from vppo_core.spec.loading import load_job

ENVIRONMENT = {
    "API_URL": "http://api:8080",
    "NAMESPACE": "ml",
    "RECEIVER": "operator:8443",
    "MLFLOW_URL": "http://mlflow:5000",
}
GOOD = {"/readyz": 200, "/jobs": 401, "/jobs?dryRun=true": 200, "/api": 200}


@pytest.fixture
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", CHART / "files" / "check.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server:
    """Answers by path, and remembers what it was asked."""

    def __init__(self, answers: dict[str, int]) -> None:
        self.answers = answers
        self.asked: list[urllib.request.Request] = []

    def answer(self, request: urllib.request.Request) -> tuple[int, str]:
        self.asked.append(request)
        path = request.full_url.partition("://")[2].partition("/")[2]
        best = max((one for one in self.answers if f"/{path}".startswith(one)), key=len)
        return self.answers[best], "body"


def run(check: ModuleType, server: Server, tmp_path: Path, monkeypatch: Any, **more: str) -> int:
    token = tmp_path / "token"
    token.write_text("who-i-am\n")
    now = iter(range(0, 10_000, 50))
    monkeypatch.setattr(check, "answer", server.answer)
    monkeypatch.setattr(check.time, "sleep", lambda _: None)
    monkeypatch.setattr(check.time, "monotonic", lambda: float(next(now)))
    code: int = check.main(ENVIRONMENT | more, token)
    return code


def test_a_release_that_works_passes(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(GOOD)
    assert run(check, server, tmp_path, monkeypatch) == 0
    post = next(one for one in server.asked if one.data)
    assert post.get_header("Authorization") == "Bearer who-i-am"
    assert load_job(bytes(post.data).decode()).metadata.namespace == "ml"
    mlflow = next(one for one in server.asked if "mlflow" in one.full_url)
    assert "/api/2.0/" in mlflow.full_url, "/health answers under every host name"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/readyz", 503), ("/jobs", 200), ("/jobs?dryRun=true", 403), ("/api", 403), ("/api", 0)],
)
def test_a_wrong_answer_fails(
    check: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    status: int,
) -> None:
    assert run(check, Server(GOOD | {path: status}), tmp_path, monkeypatch) == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 1
    assert "body" in failed[0]


@pytest.mark.parametrize("is_open", [True, False])
def test_a_path_that_is_forbidden_is_tried(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    class Connection:
        def close(self) -> None:
            pass

    def connect(address: tuple[str, int], timeout: float) -> Connection:
        assert address == ("operator", 8443)
        assert timeout > 0
        if is_open:
            return Connection()
        raise TimeoutError

    monkeypatch.setattr(check.socket, "create_connection", connect)
    code = run(check, Server(GOOD), tmp_path, monkeypatch, RECEIVER_IS_FORBIDDEN="true")
    assert code == int(is_open)


def test_the_pod_runs_this_file_with_addresses_of_the_release() -> None:
    objects = of_profile("closed")
    container = containers_of(objects)["check"]
    text = of_kind(objects, "ConfigMap")["vppo-test"]["data"]["check.py"]
    assert text.strip() == (CHART / "files" / "check.py").read_text().strip()
    environment = environment_of(container)
    services = of_kind(objects, "Service")
    for variable, service in (
        ("API_URL", "api"),
        ("MLFLOW_URL", "mlflow"),
        ("RECEIVER", "operator"),
    ):
        host, _, port = environment[variable].removeprefix("http://").partition(":")
        name, namespace, kind = host.split(".")
        assert (namespace, kind) == ("ml", "svc")
        found = services[name]
        assert name == f"vppo-{service}"
        assert int(port) in {one["port"] for one in found["spec"]["ports"]}
    assert environment["RECEIVER_IS_FORBIDDEN"] == "true"
    assert "RECEIVER_IS_FORBIDDEN" not in environment_of(containers_of(of_profile("test"))["check"])


@pytest.mark.parametrize("profile", PROFILES)
def test_the_job_is_one_that_the_platform_accepts(check: ModuleType, profile: str) -> None:
    metadata = {"name": "helm-test", "namespace": "ml"}
    job = load_job(json.dumps(check.JOB | {"metadata": metadata}))
    check_cluster_job(job, platform_of(of_profile(profile)))
