from pathlib import Path

import yaml

from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.job import ObjectMeta, VPPOJob, VPPOJobSpec
from vppo_services.driver.provenance import tags_of, write_spec

DIGEST = "sha256:" + "a" * 64


class FakeRows:
    def fingerprint(self) -> str:
        return "f" * 64


def job() -> VPPOJob:
    spec = VPPOJobSpec.model_validate(
        {
            "model": {"source": "demo://qwen2.5-vl"},
            "data": {"source": "https://me:secret-word@host/rows.jsonl"},
        }
    )
    return VPPOJob(metadata=ObjectMeta(name="demo", namespace="team-a"), spec=spec)


def test_tags_say_which_code_image_spec_and_data_a_run_is_made_of() -> None:
    environment = {"VPPO_REVISION": "abc123", "VPPO_IMAGE": f"registry/vppo@{DIGEST}"}
    tags = tags_of(job(), FakeRows(), attempt=2, uid="u-1", environment=environment)  # type: ignore[arg-type]
    assert tags == {
        "vppo.job": "demo",
        "vppo.namespace": "team-a",
        "vppo.jobUid": "u-1",
        "vppo.attempt": "2",
        "vppo.state": "Training",
        "vppo.specHash": spec_hash(job().spec),
        "vppo.dataHash": "f" * 64,
        "vppo.image": f"registry/vppo@{DIGEST}",
        "vppo.imageDigest": DIGEST,
        "mlflow.source.git.commit": "abc123",
        "mlflow.source.name": "vppo",
        "mlflow.source.type": "JOB",
    }


def test_what_is_not_known_is_no_tag() -> None:
    environment = {"VPPO_REVISION": "unknown", "VPPO_IMAGE": "registry/vppo:1.0"}
    tags = tags_of(job(), FakeRows(), attempt=1, uid="", environment=environment)  # type: ignore[arg-type]
    assert tags["vppo.image"] == "registry/vppo:1.0"
    assert not {"vppo.jobUid", "vppo.imageDigest", "mlflow.source.git.commit"} & tags.keys()


def test_the_resolved_spec_is_yaml_with_defaults_and_without_secrets(tmp_path: Path) -> None:
    assert write_spec(tmp_path / "spec.yaml", job())
    text = (tmp_path / "spec.yaml").read_text()
    assert "secret-word" not in text
    spec = yaml.safe_load(text)["spec"]
    assert spec["rollout"]["groupSize"] == job().spec.rollout.group_size


def test_a_full_disk_is_no_reason_not_to_train(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not write_spec(tmp_path / "file" / "spec.yaml", job())
