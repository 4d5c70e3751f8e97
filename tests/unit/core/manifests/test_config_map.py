"""What a driver reads in its pod is what it was told."""

import json
from pathlib import Path

import pytest

from tests.unit.core.manifests.attempts import UID, cpu_platform, h100_platform, job_of, request_of
from vppo_core.lifecycle.actions import StartAttempt
from vppo_core.lifecycle.doing import job_of_attempt
from vppo_core.manifests.config_map import config_map
from vppo_core.runs.protocol import ATTEMPT_FILE, AttemptFile
from vppo_core.spec.cluster import SPEC_MOUNT
from vppo_core.spec.hashing import differences
from vppo_core.spec.loading import load_job
from vppo_core.spec.origin import REQUEST_ID


def test_the_driver_reads_its_attempt(tmp_path: Path) -> None:
    request = request_of(job_of(), h100_platform(), ca="PEM")
    data = config_map(request)["data"]
    assert Path(ATTEMPT_FILE).parent == Path(SPEC_MOUNT)
    path = tmp_path / Path(ATTEMPT_FILE).name
    path.write_text(data[path.name])
    assert AttemptFile.read(path) == AttemptFile(
        job="demo",
        namespace="team",
        uid=UID,
        attempt=2,
        output=f"/var/lib/vppo/runs/{UID}",
        receiver="https://vppo-operator.vppo.svc:8443",
        token_file="/var/run/secrets/vppo/token",
        ca_file="/etc/vppo/ca.crt",
    )
    assert data["ca.crt"] == "PEM"


def test_the_driver_is_told_which_request_made_the_job() -> None:
    job = job_of({"annotations": {REQUEST_ID: "build-7"}})
    told = json.loads(config_map(request_of(job, h100_platform()))["data"]["attempt.json"])
    assert AttemptFile.model_validate(told).request == "build-7"
    forged = job_of({"annotations": {REQUEST_ID: "a\nb"}})
    assert "request" not in config_map(request_of(forged, h100_platform()))["data"]["attempt.json"]


def test_without_a_certificate_the_system_is_trusted() -> None:
    data = config_map(request_of(job_of(), h100_platform()))["data"]
    assert data.keys() == {"job.json", "attempt.json"}
    assert json.loads(data["attempt.json"])["caFile"] == ""


def test_the_driver_reads_the_whole_job() -> None:
    metadata = {"labels": {"a": "b"}, "annotations": {"note": "x" * 300_000}}
    job = job_of(metadata, data={"source": "d", "promptTemplate": "{{ content }} é \n$(id)"})
    text = config_map(request_of(job, cpu_platform()))["data"]["job.json"]
    read = load_job(text)
    assert read.spec == job.spec
    assert (read.metadata.name, read.metadata.namespace) == ("demo", "team")
    assert not read.metadata.annotations


@pytest.mark.parametrize(
    ("own", "told"),
    [("", "http://mlflow.mlflow.svc:5000"), ("http://other:5000", "http://other:5000")],
)
def test_the_mlflow_of_the_platform_is_for_jobs_that_name_none(own: str, told: str) -> None:
    request = request_of(job_of(tracking={"mlflowUri": own}), h100_platform())
    job = load_job(config_map(request)["data"]["job.json"])
    assert job.spec.tracking.mlflow_uri == told
    assert all(one.may_change_on_resume for one in differences(request.job.spec, job.spec))


def test_it_cannot_be_changed_under_a_driver() -> None:
    assert config_map(request_of(job_of(), cpu_platform()))["immutable"] is True


def test_half_a_micro_batch_is_the_one_difference() -> None:
    job = job_of(learner={"maxTokensPerMicroBatch": 401})
    halved = StartAttempt(index=2, resume=True, halve_micro_batch=True)
    [found] = differences(job.spec, job_of_attempt(job, halved).spec)
    assert (found.path, found.before, found.after) == ("learner.maxTokensPerMicroBatch", 401, 200)
