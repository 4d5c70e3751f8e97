"""The courier against a real receiver: everything arrives, in order, and only once."""

from pathlib import Path

import pytest

from tests.unit.services.driver.courier_scene import Scene
from vppo_core.runs.protocol import MAX_PART_BYTES
from vppo_services.driver.mirror import restore
from vppo_services.driver.receiver import AwayError, Receiver


def test_a_run_arrives_in_the_same_layout_and_only_what_is_new_is_sent_again(
    scene: Scene, order: list[str]
) -> None:
    names = (
        *("checkpoints.jsonl", "metrics.jsonl", "log.jsonl", "quarantine.jsonl"),
        *("job.json", "metrics.json", "summary.json", "report.html"),
        *("spotlight/step-000001.json", "spotlight/step-000002.json"),
        *("attempts/2/driver.out", "attempts/2/environment.json", "attempts/2/progress.json"),
    )
    for name in names:
        scene.write(name, f"{name}\n")
    scene.write("model/model.safetensors", "weights stay where they are")
    scene.write("attempts/1/exit.json", "of an earlier attempt")
    assert scene.courier.round()
    assert {name: scene.arrived(name) for name in names} == {name: f"{name}\n" for name in names}
    assert not (scene.there.path / "model").exists()
    assert not scene.there.attempt(1).exists()
    assert sorted(order) == sorted(names)

    order.clear()
    assert scene.courier.round()
    assert order == []
    scene.write("metrics.jsonl", "metrics.jsonl\nmore\n")
    scene.write("summary.json", "another")
    assert scene.courier.round()
    assert order == ["metrics.jsonl", "summary.json"]
    assert scene.arrived("metrics.jsonl") == "metrics.jsonl\nmore\n"
    assert scene.arrived("summary.json") == "another"


def test_a_reader_never_sees_an_exit_without_its_checkpoint(scene: Scene, order: list[str]) -> None:
    for name in ("exit.json", "progress.json"):
        scene.write(f"attempts/2/{name}", "{}")
    for name in ("checkpoints.jsonl", "report.html", "spotlight/step-000001.json"):
        scene.write(name, "x")
    assert scene.courier.round()
    assert order[:2] == ["checkpoints.jsonl", "attempts/2/progress.json"]
    assert order[-1] == "attempts/2/exit.json"


def test_what_is_written_during_a_round_waits_for_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit appears with its checkpoint while the older checkpoints are on their way."""
    scene.write("checkpoints.jsonl", "1\n")
    append = Receiver.append

    def meanwhile(self: Receiver, path: str, data: bytes, *, offset: int) -> None:
        append(self, path, data, offset=offset)
        if path == "checkpoints.jsonl":
            scene.write("checkpoints.jsonl", "1\n2\n")
            scene.write("attempts/2/exit.json", '{"checkpointStep": 2}')

    monkeypatch.setattr(Receiver, "append", meanwhile)
    scene.courier.round()
    assert scene.arrived("checkpoints.jsonl") == "1\n"
    assert not scene.there.exit(2).exists()
    scene.courier.round()
    assert scene.arrived("checkpoints.jsonl") == "1\n2\n"
    assert scene.there.exit(2).exists()


def test_large_files_go_in_parts(scene: Scene) -> None:
    lines = "".join(f"{number:099d}\n" for number in range(3 * MAX_PART_BYTES // 100))
    scene.write("log.jsonl", lines)
    scene.write("report.html", lines)
    assert scene.courier.round()
    assert scene.arrived("log.jsonl") == lines
    assert scene.arrived("report.html") == lines


def test_large_files_do_not_hold_up_the_ending(scene: Scene, order: list[str]) -> None:
    for step in range(3):
        scene.write(f"spotlight/step-{step:06d}.json", "x")
    scene.write("attempts/2/exit.json", "{}")
    assert not scene.courier.round(bulk_seconds=0.0)
    assert order == ["attempts/2/exit.json"]
    assert scene.courier.round()
    assert len(order) == 4


def test_a_run_that_went_back_to_a_checkpoint_replaces_what_was_cut(scene: Scene) -> None:
    scene.write("metrics.jsonl", "step 1\nstep 2, first time\n")
    assert scene.courier.round()
    for text in (
        "step 1\n",
        "step 1\nstep 2, second time\n",
        "step 1\nstep 2, 3rd time!\nstep 3\n",
    ):
        scene.write("metrics.jsonl", text)
        assert scene.courier.round()
        assert scene.arrived("metrics.jsonl") == text


def test_a_new_driver_goes_on_where_the_old_one_was(scene: Scene, order: list[str]) -> None:
    scene.write("metrics.jsonl", "step 1\n")
    assert scene.courier.round()
    order.clear()
    scene.write("metrics.jsonl", "step 1\nstep 2\n")
    sizes = []
    append = Receiver.append

    def spy(self: Receiver, path: str, data: bytes, *, offset: int) -> None:
        sizes.append((offset, data))
        append(self, path, data, offset=offset)

    Receiver.append = spy  # type: ignore[method-assign]
    try:
        assert scene.new_courier().round()
    finally:
        Receiver.append = append  # type: ignore[method-assign]
    assert sizes == [(7, b"step 2\n")]


def test_a_receiver_that_lost_its_files_gets_all_again(scene: Scene) -> None:
    names = ("metrics.jsonl", "summary.json", "attempts/2/progress.json", "attempts/2/exit.json")
    for name in names:
        scene.write(name, name)
    assert scene.courier.round()
    for path in sorted(scene.there.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    scene.there.path.rmdir()
    assert scene.courier.round()
    assert [scene.arrived(name) for name in names] == list(names)


def test_files_beyond_the_limit_are_offered_once_and_the_exit_arrives(
    tmp_path: Path, order: list[str]
) -> None:
    scene = Scene(tmp_path, max_run_bytes=100)
    try:
        scene.write("log.jsonl", "x" * 200)
        scene.write("report.html", "x" * 200)
        scene.write("attempts/2/exit.json", "{}")
        assert scene.courier.round(), "nothing is left to do"
        assert scene.courier.round()
        assert order == ["log.jsonl", "report.html", "attempts/2/exit.json"]
        assert scene.arrived("attempts/2/exit.json") == "{}"
    finally:
        scene.server.stop()


def test_an_empty_folder_gets_the_history_of_the_run(scene: Scene, tmp_path: Path) -> None:
    scene.write("metrics.jsonl", "x" * (MAX_PART_BYTES + 7))
    scene.write("checkpoints.jsonl", "1\n")
    assert scene.courier.round()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "checkpoints.jsonl").write_text("is there")
    receiver = Receiver(scene.file())
    assert restore(fresh, receiver, is_late=lambda: False) == ["metrics.jsonl"]
    assert (fresh / "metrics.jsonl").stat().st_size == MAX_PART_BYTES + 7
    assert (fresh / "checkpoints.jsonl").read_text() == "is there"
    (fresh / "metrics.jsonl").unlink()
    assert restore(fresh, receiver, is_late=lambda: True) == []
    scene.server.stop()
    with pytest.raises(AwayError):
        restore(fresh, receiver, is_late=lambda: False)
