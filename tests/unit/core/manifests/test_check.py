"""A job that this cluster cannot run is refused with a sentence for each reason."""

from typing import Any

import pytest

from tests.unit.core.manifests.attempts import cpu_platform, h100_platform, job_of
from vppo_core.errors import InvalidSpecError
from vppo_core.manifests.check import check_cluster_job, trouble_of_cluster_job
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec

S3 = {"uri": "s3://bucket/prefix"}


def refused(job: VPPOJob, platform: PlatformSpec) -> list[str]:
    try:
        check_cluster_job(job, platform)
    except InvalidSpecError as error:
        return str(error).split("\n")
    return []


def test_a_right_job_is_accepted() -> None:
    assert refused(job_of(), cpu_platform()) == []
    assert refused(job_of(checkpoint=S3), h100_platform()) == []


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"scheduling": {"queue": "reserch"}},
            "scheduling.queue must be one of 'research', got 'reserch'; did you mean 'research'?",
        ),
        (
            {"priority": "urgent"},
            "priority must be one of 'low', 'high', got 'urgent'; choose one of these, or leave it "
            "out",
        ),
        (
            {"placement": {"reward": {"pool": "cpus"}}},
            "placement.reward.pool must be one of 'h100', 'cpu', got 'cpus'; did you mean 'cpu'?",
        ),
        (
            {"placement": {"learner": {"gpus": 9}}},
            "placement.learner.gpus must be at most 8, as a node of pool 'h100' has them, got 9; "
            "lower it, or choose another pool",
        ),
        (
            {"placement": {"reward": {"cpus": 17}}},
            "placement.reward.cpus must be at most 16, as a node of pool 'cpu' has them, got 17; "
            "lower it, or choose another pool",
        ),
        (
            {
                "rollout": {"tensorParallelSize": 8},
                "placement": {
                    "rollout": {"replicas": 4, "gpus": 8},
                    "learner": {"replicas": 4, "gpus": 1},
                },
            },
            "placement must ask for at most 32 GPUs, as the pool 'h100' has them, got 36 for "
            "rollout, learner; lower replicas or gpus of a role, or choose another queue or pool",
        ),
        (
            {"checkpoint": {"uri": ""}},
            "checkpoint.uri must be an object store on a platform without storage, where files die "
            "with their pod, got ''; write s3://BUCKET/PREFIX or another fsspec address",
        ),
        (
            {"checkpoint": {"uri": "file:///data"}},
            "checkpoint.uri must be an object store on a platform without storage, where files die "
            "with their pod, got 'file:///data'; write s3://BUCKET/PREFIX or another fsspec "
            "address",
        ),
        (
            {"model": {"source": "demo://qwen3-vl"}},
            "model.source must not be made by the driver on a platform without storage, where the "
            "other pods cannot read it, got 'demo://qwen3-vl'; name a model or data set of a hub "
            "or an object store",
        ),
        (
            {"data": {"source": "https://lena:hunter2@example/rows.parquet"}},
            "data.source must not hold a credential, got "
            "'https://lena:[redacted]@example/rows.parquet'; put it into a Secret of the namespace "
            "and name that in placement.secret",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_the_platform_does_not_have(sections: dict[str, Any], sentence: str) -> None:
    job = job_of(**({"checkpoint": S3} | sections))
    assert sentence in refused(job, h100_platform())


def test_every_reason_is_told_at_once() -> None:
    job = job_of(
        {"name": "", "namespace": ""},
        priority="urgent",
        placement={"learner": {"gpus": 9}, "reward": {"pool": "gone"}},
        tracking={"mlflowUri": "http://host?token=abc"},
    )
    first_words = [line.split(" ")[0] for line in refused(job, h100_platform())]
    assert first_words == [
        "metadata.name",
        "metadata.namespace",
        "priority",
        "placement.reward.pool",
        "placement.learner.gpus",
        "checkpoint.uri",
        "tracking.mlflowUri",
    ]


def test_a_secret_is_shown_to_nobody() -> None:
    job = job_of(data={"source": "hf://rows?token=hf_abcdefghijklmnop1234"})
    [line] = refused(job, cpu_platform())
    assert "abcdefgh" not in line


def test_names_of_secrets_and_ordinary_texts_are_no_credentials() -> None:
    job = job_of(
        placement={"secret": "hub-token"},
        data={
            "source": "s3://tokens/passwords.parquet",
            "promptTemplate": "the token: {{ content }}",
        },
    )
    assert refused(job, cpu_platform()) == []


def test_a_pool_without_nodes_has_no_gpus() -> None:
    platform = h100_platform()
    bare = tuple(pool.model_copy(update={"nodes": None}) for pool in platform.pools)
    [line] = refused(
        job_of(checkpoint=S3, placement={"learner": {"gpus": 1}}),
        platform.model_copy(update={"pools": bare}),
    )
    assert line.startswith("placement.learner.gpus must be at most 0")


def test_an_accepted_job_is_told_when_the_platform_changed() -> None:
    job = job_of(checkpoint=S3, placement={"learner": {"gpus": 8}})
    assert trouble_of_cluster_job(job.spec, h100_platform()) == ""
    urgent = job_of(checkpoint=S3, priority="gone")
    assert trouble_of_cluster_job(urgent.spec, h100_platform()) == ""  # it counts as none
    trouble = trouble_of_cluster_job(job.spec, cpu_platform())
    assert trouble.startswith("the platform has changed: placement.learner.gpus must be at most 0")
    queued = job_of(checkpoint=S3, scheduling={"queue": "research"})
    assert "scheduling.queue must be one of 'default'" in trouble_of_cluster_job(
        queued.spec, cpu_platform()
    )
