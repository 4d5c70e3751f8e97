"""One look at a job: what is written, in which order, and what is left alone."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.operator.reconcile_bench import START, Bench, platform_of
from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.errors import JobNotFoundError, StoreUnavailableError
from vppo_core.archive.events import events_after
from vppo_core.archive.jobs import get_job
from vppo_core.kube.errors import KubeConflictError
from vppo_core.kube.kinds import CONFIG_MAPS, RAY_JOBS, VPPO_JOBS
from vppo_core.spec.status import AttemptStatus, JobPhase, Outcome


def test_a_new_job_gets_its_status_then_its_finalizer_then_its_objects(bench: Bench) -> None:
    bench.submit()
    bench.look()
    writes = [f"{c.verb} {c.kind.plural}/{c.subresource}" for c in bench.server.writes()]
    writes = [one for one in writes if not one.endswith("events/")]
    assert writes == [
        "patch vppojobs/status",
        "patch vppojobs/",
        "create configmaps/",
        "create networkpolicies/",
        "create poddisruptionbudgets/",
        "create rayjobs/",
    ]
    assert bench.job["metadata"]["finalizers"] == ["vppo.io/attempt"]
    assert bench.phase() == "Starting"


def test_a_second_look_writes_nothing(bench: Bench) -> None:
    bench.submit()
    bench.look()
    before = len(bench.server.writes())
    bench.look()
    assert len(bench.server.writes()) == before
    assert bench.operator.seen.has(bench.job["metadata"])


def test_a_change_at_the_same_time_is_looked_at_again(bench: Bench) -> None:
    bench.submit()
    bench.server.fail_next(KubeConflictError("changed"), verb="patch", kind=VPPO_JOBS)
    bench.look()
    assert bench.ray_job() is not None


def test_progress_is_written_every_thirty_seconds_and_a_first_step_at_once(bench: Bench) -> None:
    uid = bench.submit()
    bench.look()
    folder = bench.folder / "jobs" / uid / "attempts" / "1"

    def trains(step: int) -> int:
        text = (
            f'{{"attempt": 1, "incarnation": "a", "firstStep": 0, "step": {step}, '
            f'"totalSteps": 9, "time": "{bench.now.isoformat()}"}}'
        )
        (folder / "progress.json").write_text(text)
        bench.look()
        return int(bench.job["status"].get("progress", {}).get("step", 0))

    bench.now += timedelta(seconds=20)
    assert trains(1) == 1
    bench.now += timedelta(seconds=10)
    assert trains(2) == 1
    bench.now += timedelta(seconds=21)
    assert trains(3) == 3


def test_the_archive_may_be_away_and_gets_everything_when_it_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("no route")

    assert bench.db is not None
    with monkeypatch.context() as broken:
        broken.setattr("vppo_operator.archiver.mirror_job", away)
        uid = bench.submit()
        assert bench.look() is not None
        assert bench.ray_job() is not None  # training does not depend on it
        bench.look(after=10)
        assert bench.said("Archived")[:2] == ("False", "ArchiveUnavailable")
        with pytest.raises(JobNotFoundError):
            get_job(bench.db, "", uid=uid)
    bench.look(after=100)
    bench.look(after=1)
    assert bench.said("Archived")[:2] == ("True", "Written")
    assert get_job(bench.db, "", uid=uid).phase is JobPhase.STARTING
    assert [one.index for one in attempts_of(bench.db, uid)] == [1]
    reasons = [one.reason for one in events_after(bench.db, uid, after=0, limit=20)]
    assert reasons.count("AttemptStarted") == 1


def test_nothing_is_decided_while_the_archive_alone_knows_the_first_attempts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.submit()
    attempts = [
        AttemptStatus(index=index, created=START, ended=START, outcome=Outcome.LOST)
        for index in range(3, 13)
    ]
    shown = [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in attempts]
    status = {"phase": "Retrying", "attempt": 12, "attempts": shown}
    bench.server.store.patch(VPPO_JOBS, "team", "demo", {"status": status}, subresource="status")
    with monkeypatch.context() as broken:
        broken.setattr(bench.operator.archiver, "attempts_of", lambda _: None)
        assert bench.look() is not None
    assert bench.said("Archived")[:2] == ("False", "ArchiveUnavailable")
    assert "only the last attempts" in bench.said("Archived")[2]
    assert bench.server.store.list(RAY_JOBS) == []
    bench.look()
    names = [one["metadata"]["name"] for one in bench.server.store.list(RAY_JOBS)]
    assert names == ["demo-a13"]


def test_a_job_deleted_while_nobody_looked_is_closed_in_the_archive(bench: Bench) -> None:
    assert bench.db is not None
    uid = bench.submit(desiredState="Paused")
    bench.look()
    assert not bench.job["metadata"].get("finalizers")  # it rests: nothing holds it
    bench.server.store.delete(VPPO_JOBS, "team", "demo")
    assert bench.look() is None
    record = get_job(bench.db, "", uid=uid)
    assert (record.phase, record.released) == (JobPhase.CANCELLED, bench.now)


def test_a_finished_job_expires_with_its_files(bench: Bench) -> None:
    uid = bench.submit(desiredState="Cancelled", ttlSecondsAfterFinished=60)
    folder = bench.folder / "jobs" / uid
    folder.mkdir(parents=True)
    wait = bench.look()
    assert wait == pytest.approx(60.0)
    bench.look(after=61)
    assert bench.server.store.get(VPPO_JOBS, "team", "demo") is None
    assert not folder.exists()
    assert bench.db is not None
    assert get_job(bench.db, "", uid=uid).expired == bench.now


def test_without_an_archive_everything_else_is_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, None)
    bench.submit()
    bench.look()
    assert bench.phase() == "Starting"
    assert bench.said("Archived") == ("", "", "")
    bench.server.store.delete(VPPO_JOBS, "team", "demo")
    bench.look()
    assert bench.phase() == "Stopping"


def test_a_pause_before_there_is_a_driver_takes_effect_at_once(bench: Bench) -> None:
    bench.submit()
    bench.look()
    bench.server.store.patch(VPPO_JOBS, "team", "demo", {"spec": {"desiredState": "Paused"}})
    bench.look(after=5)
    assert bench.ray_job() is None  # nobody could save anything
    bench.look(after=5)
    assert bench.phase() == "Paused"
    assert bench.job["status"]["attempts"][0]["outcome"] == "Stopped"
    assert bench.server.store.list(CONFIG_MAPS) == []


def test_a_changed_priority_reaches_kueue(bench: Bench) -> None:
    bench.operator = bench.begin(platform_of(kueue=True))
    bench.submit()
    bench.look()
    bench.server.store.patch(VPPO_JOBS, "team", "demo", {"spec": {"priority": "high"}})
    bench.look()
    label = "kueue.x-k8s.io/priority-class"
    assert (bench.ray_job() or {})["metadata"]["labels"][label] == "high"


def test_drivers_of_known_attempts_are_let_in(bench: Bench) -> None:
    uid = bench.submit()
    bench.look()
    assert bench.operator.knows("team", "demo", uid, 1)
    assert not bench.operator.knows("team", "demo", "another", 1)
    assert not bench.operator.knows("team", "demo", uid, 2)
    assert not bench.operator.knows("team", "x" * 80, uid, 1)
