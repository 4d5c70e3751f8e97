"""A job by `kubectl apply`: real Ray, vLLM and FSDP2, a pod group for each role."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.discovery import watching
from tests.e2e.tools import NAMESPACE, POLL_SECONDS, Kubectl, demo_job, forwarded, run, until

JOB = "by-kubectl"
STEPS = 20  # long enough for several scrapes
ROLES = {"head", "rollout", "reward", "dependency", "learner"}


@pytest.fixture(scope="module")
def watched(release: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Prometheus that finds the job's pods while it runs; None where there is no Prometheus."""
    if shutil.which("prometheus") is None:
        yield None
        return
    with watching(tmp_path_factory.mktemp("prometheus"), release) as found:
        yield found


@pytest.fixture(scope="module")
def finished(release: Kubectl, watched: Any) -> Any:
    """The job after its end, and the pods that were seen while it ran."""
    release.apply(demo_job(JOB, learner={"numSteps": STEPS}, checkpoint={"everySteps": 5}))
    seen: dict[str, dict[str, Any]] = {}

    def is_over() -> bool:
        pods = release.pods(JOB)
        seen.update({pod["metadata"]["name"]: pod for pod in pods})
        if watched:
            watched.see(pods)
        conditions = release.status(JOB).get("conditions", [])
        return any(one["type"] == "Finished" and one["status"] == "True" for one in conditions)

    assert POLL_SECONDS < 5
    until("the job finishes", is_over, 1500, lambda: release.story(JOB))
    return release.job(JOB), list(seen.values())


def test_it_succeeds_and_waits_of_kubectl_see_it(finished: Any, release: Kubectl) -> None:
    job, _ = finished
    assert job["status"]["phase"] == "Succeeded", release.story(JOB)
    assert job["status"]["progress"]["display"] == f"{STEPS}/{STEPS}"
    release.wait(JOB, "Finished", 5)
    release.wait(JOB, "Succeeded", 5)
    release("wait", "--for=jsonpath={.status.phase}=Succeeded", f"vj/{JOB}", "--timeout=5s")


def test_each_role_had_pods_of_its_own(finished: Any) -> None:
    _, pods = finished
    assert {pod["metadata"]["labels"]["vppo.io/role"] for pod in pods} == ROLES
    for pod in pods:
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_checkpoint_lies_on_the_volume(finished: Any) -> None:
    job, _ = finished
    checkpoint = job["status"]["checkpoint"]
    assert checkpoint["step"] == STEPS
    assert checkpoint["uri"].startswith("/var/lib/vppo/runs/")


@pytest.mark.usefixtures("finished")
def test_kubectl_shows_a_table(release: Kubectl) -> None:
    head, row = release("get", "vj", JOB).splitlines()
    assert head.split()[:4] == ["NAME", "PHASE", "STEP", "ATTEMPT"]
    assert row.split()[:4] == [JOB, "Succeeded", f"{STEPS}/{STEPS}", "1"]
    told = release("describe", "vj", JOB)
    assert "AttemptStarted" in told
    assert "Succeeded" in told


@pytest.mark.usefixtures("finished")
def test_the_mlflow_run_is_there(release: Kubectl) -> None:
    with forwarded(release, "svc/vppo-mlflow", 5000) as address:
        base = f"{address}/api/2.0/mlflow"
        experiment = httpx.get(
            f"{base}/experiments/get-by-name", params={"experiment_name": "vppo"}, trust_env=False
        ).json()["experiment"]
        runs = httpx.post(
            f"{base}/runs/search",
            json={"experiment_ids": [experiment["experiment_id"]]},
            trust_env=False,
        ).json()["runs"]
    mine = [
        run
        for run in runs
        if JOB in json.dumps(run["data"].get("tags", [])) + run["info"]["run_name"]
    ]
    assert mine, [run["info"]["run_name"] for run in runs]
    metrics = {metric["key"] for run in mine for metric in run["data"].get("metrics", [])}
    assert any("reward" in key for key in metrics), metrics


@pytest.mark.usefixtures("finished")
def test_the_api_has_its_metrics_logs_and_answers(rest: Any) -> None:
    steps = rest.get(f"/jobs/{JOB}/metrics").json()["items"]
    assert {line["step"] for line in steps} >= set(range(1, STEPS + 1))
    logs = rest.get(f"/jobs/{JOB}/logs").json()["items"]
    assert any("step" in line["message"] for line in logs)
    assert {line["role"].rpartition("-")[0] for line in logs} >= ROLES - {"head"}
    attempts = rest.get(f"/jobs/{JOB}/attempts").json()["items"]
    assert [one["outcome"] for one in attempts] == ["Succeeded"]
    files = {one["path"] for one in rest.get(f"/jobs/{JOB}/artifacts").json()["items"]}
    assert {"report.html", "summary.json"} <= files


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("by", ["monitor", "plain"])
def test_prometheus_finds_the_pods_of_every_role(watched: Any, by: str) -> None:
    if watched is None:
        pytest.skip("prometheus is not on PATH: apt-get install prometheus")
    mine = f'by="{by}",job_name="{JOB}",attempt="1",namespace="{NAMESPACE}"'

    def at_any_time(name: str, labels: str) -> str:
        return f"max_over_time({name}{{{mine},{labels}}}[1h]) > 0"

    assert watched.labels(at_any_time("up", 'job="vppo-ray"'), "role") == ROLES
    assert watched.labels(at_any_time("up", 'job="vppo-runs"'), "role") == {"head"}
    calls = at_any_time("ray_vppo_replica_calls_total", 'job="vppo-ray"')
    assert watched.labels(calls, "role") == ROLES - {"head"}
    steps = at_any_time("vppo_step", 'job="vppo-runs"')
    assert watched.labels(steps, "job_name") == {JOB}


@pytest.mark.usefixtures("finished")
def test_nothing_is_left_running(release: Kubectl) -> None:
    until("its pods go", lambda: not release.pods(JOB), 300, lambda: release.story(JOB))
    rayjobs = release.items("rayjobs", "-l", f"vppo.io/job={JOB}")
    assert rayjobs == []


def test_metrics_of_operator_and_api_can_be_scraped(release: Kubectl) -> None:
    with forwarded(release, "svc/vppo-operator", 9090) as address:
        assert "vppo_operator_" in run("curl", "-sf", f"{address}/metrics")
    with forwarded(release, "svc/vppo-api", 8080) as address:
        assert "vppo_api_" in run("curl", "-sf", f"{address}/metrics")
