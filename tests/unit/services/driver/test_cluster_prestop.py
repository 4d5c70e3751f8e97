"""Before a pod ends: the driver is found and asked, the roles wait for their head."""

import json
import os
import signal
from pathlib import Path

import pytest

from vppo_services.driver import prestop

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"


def process(proc: Path, pid: int, *command: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_bytes("\0".join([*command, ""]).encode())


def test_the_driver_is_found_among_what_is_like_it(tmp_path: Path) -> None:
    process(tmp_path, 1, "/bin/sh", "-c", "python -m vppo_services.driver")
    process(tmp_path, 2, "python", "-m", "vppo_services.driver.drain")
    process(tmp_path, 3, "ray::RolloutDeployment")
    process(tmp_path, 4)  # a zombie
    (tmp_path / "self").mkdir()
    assert prestop.find_driver(tmp_path) is None
    process(tmp_path, 57, "/usr/bin/python3", "-m", "vppo_services.driver")
    assert prestop.find_driver(tmp_path) == 57


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("0: 0500000A:B5E2 0100000A:18EB 01 0", True, id="established"),
        pytest.param("0: 0500000A:B5E2 0100000A:18EB 08 0", False, id="closed-by-the-head"),
        pytest.param("0: 0500000A:18EB 0100000A:B5E2 01 0", False, id="to-us"),
        pytest.param("0: 0500000A:B5E2 0100000A:18EC 01 0", False, id="another-port"),
    ],
)
@pytest.mark.parametrize("name", ["tcp", "tcp6"])
def test_a_head_lives_as_long_as_a_connection_to_it(
    tmp_path: Path, name: str, line: str, expected: bool
) -> None:
    assert not prestop.is_connected(6379, tmp_path)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / name).write_text(f"{HEADER}   {line} 00000000 0\n")
    assert prestop.is_connected(6379, tmp_path) is expected


def test_the_grace_is_that_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPPO_ATTEMPT_FILE", str(tmp_path / "attempt.json"))
    assert prestop.grace_seconds() == 300.0
    job = {"spec": {"scheduling": {"stopGraceSeconds": 90}}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    assert prestop.grace_seconds() == 90.0


def test_a_driver_is_asked_and_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    lives = [True, True, False]
    pauses: list[float] = []
    monkeypatch.setattr(prestop, "find_driver", lambda: 57)
    monkeypatch.setattr(prestop, "is_driver", lambda _: lives.pop(0))
    monkeypatch.setattr(os, "kill", lambda pid, number: asked.append((pid, number)))
    monkeypatch.setattr(prestop.time, "sleep", pauses.append)
    assert prestop.main() == 0
    assert asked == [(57, signal.SIGTERM)]
    assert (lives, len(pauses)) == ([], 2)


@pytest.mark.parametrize("is_worker", [False, True])
def test_without_a_driver_only_a_pod_of_a_role_waits(
    monkeypatch: pytest.MonkeyPatch, is_worker: bool
) -> None:
    connected = [True, False]
    monkeypatch.delenv("FQ_RAY_IP", raising=False)
    if is_worker:
        monkeypatch.setenv("FQ_RAY_IP", "head.team.svc.cluster.local")
    monkeypatch.setattr(prestop, "find_driver", lambda: None)
    monkeypatch.setattr(prestop, "is_connected", lambda _: connected.pop(0))
    monkeypatch.setattr(prestop.time, "sleep", lambda _: None)
    assert prestop.main() == 0
    assert connected == ([] if is_worker else [True, False])


def test_nobody_is_awaited_beyond_the_grace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "job.json").write_text('{"spec": {"scheduling": {"stopGraceSeconds": 0}}}')
    monkeypatch.setenv("VPPO_ATTEMPT_FILE", str(tmp_path / "attempt.json"))
    monkeypatch.setattr(prestop, "find_driver", lambda: 57)
    monkeypatch.setattr(prestop, "is_driver", lambda _: True)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    assert prestop.main() == 0
