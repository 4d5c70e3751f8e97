"""What this platform cannot run is refused with the choices; what changed since is trouble."""

from typing import Any

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.offers import check_job, pool_of, priority_of, queue_of, trouble_of
from vppo_core.spec.platform import PlatformSpec

PLATFORM = PlatformSpec.model_validate(
    {
        "pools": [{"name": "big", "gpus": 8}, {"name": "small", "gpus": 1}],
        "queues": [{"name": "research", "pool": "big"}, {"name": "tests", "pool": "small"}],
    }
)
ROLES = ("rollout", "dependency", "learner")


def gpus(**roles: int) -> dict[str, Any]:
    placement = {name: {"gpus": 1, "replicas": roles[name]} for name in ROLES if name in roles}
    return {"placement": placement}


def test_a_job_that_fits_is_accepted(job_named: Any) -> None:
    job = job_named("x", priority="high", **gpus(rollout=4, dependency=2, learner=2))
    check_job(job, PLATFORM)
    assert queue_of(job.spec, PLATFORM).name == "research"
    assert pool_of(job.spec, PLATFORM).name == "big"
    assert priority_of(job.spec, PLATFORM) == 100


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        pytest.param(
            {"scheduling": {"queue": "reserch"}},
            "scheduling.queue must be one of 'research', 'tests', got 'reserch'; "
            "did you mean 'research'?",
            id="queue",
        ),
        pytest.param(
            {"priority": "urgent"},
            "priority must be one of 'low', 'high', got 'urgent'; choose one of these, or leave "
            "it out",
            id="priority",
        ),
        pytest.param(
            gpus(rollout=4, dependency=4, learner=1),
            "placement must ask for at most 8 GPUs, as the pool 'big' has them, got 9; lower "
            "replicas or gpus of a role, or choose another queue",
            id="gpus",
        ),
    ],
)
def test_what_cannot_run_is_refused(
    job_named: Any, sections: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        check_job(job_named("x", **sections), PLATFORM)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("namespace", "is_right"), [("", True), ("default", True), ("a", False)])
def test_there_is_one_namespace(job_named: Any, namespace: str, is_right: bool) -> None:
    job = job_named("x")
    meta = job.metadata.model_copy(update={"namespace": namespace})
    job = job.model_copy(update={"metadata": meta})
    if is_right:
        check_job(job, PLATFORM)
        return
    with pytest.raises(InvalidSpecError, match=r"metadata.namespace must be 'default' or empty"):
        check_job(job, PLATFORM)


def test_each_wrong_thing_has_its_line(job_named: Any) -> None:
    job = job_named("x", priority="p", scheduling={"queue": "q"})
    with pytest.raises(InvalidSpecError) as caught:
        check_job(job, PLATFORM)
    assert [line.split()[0] for line in str(caught.value).split("\n")] == [
        "priority",
        "scheduling.queue",
    ]


def test_a_platform_without_priorities_says_so(job_named: Any) -> None:
    with pytest.raises(InvalidSpecError, match="priority must be empty"):
        check_job(job_named("x", priority="p"), PlatformSpec(priorities=()))


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        pytest.param({"scheduling": {"queue": "gone"}}, "has no queue 'gone' any more", id="queue"),
        pytest.param(gpus(learner=9), "asks for 9 GPUs and the pool 'big' has 8", id="gpus"),
        pytest.param({}, "", id="none"),
    ],
)
def test_a_platform_that_shrank_is_trouble(
    job_named: Any, sections: dict[str, Any], sentence: str
) -> None:
    assert sentence in trouble_of(job_named("x", **sections).spec, PLATFORM)
    assert bool(sentence) == bool(trouble_of(job_named("x", **sections).spec, PLATFORM))
