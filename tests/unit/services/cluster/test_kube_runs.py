"""What runs leave behind, as a cluster has it: mirrored files, a pod's output, checkpoints."""

from typing import Any

import pytest

from vppo_core.archive.checkpoints import record_checkpoint
from vppo_core.archive.errors import BadCursorError, NotAllowedNowError
from vppo_core.archive.records import CheckpointRecord
from vppo_core.kube.kinds import PODS
from vppo_core.runs.folder import RunFolder
from vppo_core.spec.status import JobPhase
from vppo_services.cluster.pod_logs import PodLogs


@pytest.fixture
def made(cluster: Any, job_named: Any) -> Any:
    record, _ = cluster.store.create(job_named("a"), owner="ann")
    cluster.settle()
    return record


def head_pod(cluster: Any, attempt: int, text: str) -> None:
    labels = {"vppo.io/job": "a", "vppo.io/attempt": str(attempt), "ray.io/node-type": "head"}
    name = f"a-a{attempt}-head"
    meta = {"name": name, "namespace": "default", "labels": labels}
    cluster.server.store.put(PODS, {"metadata": meta})
    cluster.server.logs["default", name, ""] = text


def texts(lines: Any) -> list[str]:
    return [one.message for one in lines.items]


def test_the_pod_speaks_until_the_driver_does(cluster: Any, made: Any) -> None:
    store = cluster.store
    assert store.logs(made.uid).items == ()
    head_pod(cluster, 1, "one\ntwo\nhf_" + "a" * 34 + "\n")
    store._pod_logs = PodLogs(cluster.server, clock=cluster.clock.seconds)
    first = store.logs(made.uid, limit=2)
    assert (texts(first), first.items[0].attempt) == (["one", "two"], 1)
    rest = store.logs(made.uid, after=first.end)
    assert len(rest.items) == 1
    assert "hf_a" not in rest.items[0].message
    assert store.logs(made.uid, after=rest.end).end == rest.end

    run = RunFolder.of(cluster.jobs_folder, made.uid)
    run.log.parent.mkdir(parents=True)
    run.log.write_text('{"time": "t", "level": "info", "message": "step 1"}\n')
    driver = store.logs(made.uid, after=rest.end)
    assert (texts(driver), driver.is_reset) == (["step 1"], True)
    assert store.logs(made.uid, after=driver.end).items == ()


def test_a_newer_pod_is_read_from_its_beginning(cluster: Any, made: Any) -> None:
    cluster.store._pod_logs = PodLogs(cluster.server, clock=cluster.clock.seconds)
    head_pod(cluster, 1, "one\n")
    first = cluster.store.logs(made.uid)
    head_pod(cluster, 2, "uno\n")
    assert cluster.store.logs(made.uid, after=first.end).items == ()  # asked a moment ago
    cluster.clock.pass_by(3)
    second = cluster.store.logs(made.uid, after=first.end)
    assert (texts(second), second.is_reset) == (["uno"], True)
    with pytest.raises(BadCursorError):
        cluster.store.logs(made.uid, after="pod-x-1")


def test_the_pods_of_a_job_that_is_over_are_not_asked(cluster: Any, made: Any) -> None:
    head_pod(cluster, 1, "one\n")
    cluster.set_phase("a", JobPhase.SUCCEEDED)
    assert cluster.store.logs(made.uid).items == ()


def test_files_are_those_of_the_mirror(cluster: Any, made: Any) -> None:
    run = RunFolder.of(cluster.jobs_folder, made.uid)
    run.path.mkdir(parents=True)
    run.metrics.write_text('{"step": 1, "time": 0, "reward_mean": 0.5}\n')
    (run.path / "report.html").write_text("<p>done</p>")
    assert [one.step for one in cluster.store.metrics(made.uid).items] == [1]
    paths = [one.path for one in cluster.store.artifacts(made.uid)]
    assert paths == ["metrics.jsonl", "report.html"]


@pytest.mark.parametrize(
    ("uri", "is_reached"),
    [("file:///var/lib/vppo/runs/x/step-2", False), ("/runs/step-2", False), ("http://x/2", True)],
)
def test_checkpoints_on_the_volume_of_pods_are_left_to_them(
    cluster: Any, made: Any, uri: str, is_reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vppo_services.local.checkpoints.keep", lambda _: True)
    for step, place in ((2, uri), (4, "s3://b/4")):
        record_checkpoint(
            cluster.db.inner,
            made.uid,
            CheckpointRecord(
                step=step, uri=place, attempt=1, size_bytes=1, created=cluster.clock(), metrics={}
            ),
        )
    if is_reached:
        assert cluster.store.promote_checkpoint("a", 2, actor="ann").is_promoted
        return
    for verb in (cluster.store.promote_checkpoint, cluster.store.delete_checkpoint):
        with pytest.raises(NotAllowedNowError, match="must lie in an object store"):
            verb("a", 2, actor="ann")
