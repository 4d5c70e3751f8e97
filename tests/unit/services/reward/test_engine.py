import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from vppo_core.errors import ConsistencyError, InvalidSpecError, RoleDiedError
from vppo_core.spec.reward import RewardSpec
from vppo_services.reward.engine import RewardEngine

GRADERS = """
import ctypes, itertools, os, pathlib, signal, subprocess, time

MARKS = pathlib.Path(__file__).parent

def mixed(text, answer):
    if text == "python hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
    if text == "c hang":
        any(itertools.repeat(False))
    if text == "child":
        child = subprocess.Popen(["sleep", "60"])
        (MARKS / "child").write_text(str(child.pid))
        child.wait()
    if text == "wait":
        (MARKS / "waiting").write_text("")
        time.sleep(60)
    if text == "raise":
        raise KeyError("no such answer")
    if text == "exit once" and not (MARKS / "once").exists():
        (MARKS / "once").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "exit":
        os._exit(3)
    if text == "segfault":
        ctypes.string_at(0)
    if text == "noise":
        print("on stdout")
    return float(answer == "1")
"""


@pytest.fixture
def graders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "engine_graders.py").write_text(GRADERS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def own_spec(timeout_seconds: float = 0.3, **fields: object) -> RewardSpec:
    return RewardSpec.model_validate(
        {"grader": "engine_graders:mixed", "timeoutSeconds": timeout_seconds, **fields}
    )


def wait_for_end(pid: int) -> None:
    """Return when the process is gone; fail after five seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], 5.0)
        assert ended, f"process {pid} still runs"
    finally:
        os.close(descriptor)


@pytest.mark.usefixtures("graders")
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        pytest.param("python hang", "timeout", id="loop-that-swallows-signals"),
        pytest.param("c hang", "timeout", id="loop-inside-c"),
        pytest.param("raise", "error", id="raises"),
        pytest.param("exit", "error", id="leaves"),
        pytest.param("segfault", "error", id="segfault"),
    ],
)
def test_a_bad_answer_scores_the_failure_value_and_spoils_no_other(text: str, verdict: str) -> None:
    with RewardEngine(own_spec(scoreOnFailure=-1.0)) as engine:
        batch = engine.grade(["a", text, "noise"], ["1", "1", "0"])
        assert batch.verdicts == ("ok", verdict, "wrong")
        assert batch.rewards.tolist() == [1.0, -1.0, 0.0]
        assert batch.accuracies.tolist() == [1.0, 0.0, 0.0]
        assert engine.counts() == {
            "ok": 1, "wrong": 1, "no_box": 0, "timeout": 0, "error": 0, verdict: 1
        }  # fmt: skip


@pytest.mark.usefixtures("graders")
def test_hanging_answers_cost_their_limit_and_little_more() -> None:
    with RewardEngine(own_spec(), workers=2) as engine:
        began = time.monotonic()
        batch = engine.grade(["c hang", "c hang", "a"], ["1", "1", "1"])
        assert time.monotonic() - began < 2.5
        assert batch.verdicts == ("timeout", "timeout", "ok")


def test_what_a_grader_started_is_killed_with_it(graders: Path) -> None:
    with RewardEngine(own_spec()) as engine:
        assert engine.grade(["child"], ["1"]).verdicts == ("timeout",)
        wait_for_end(int((graders / "child").read_text()))


@pytest.mark.usefixtures("graders")
def test_a_process_killed_while_it_grades_loses_no_answer() -> None:
    with RewardEngine(own_spec()) as engine:
        batch = engine.grade(["a", "exit once", "b"], ["1", "1", "0"])
        assert batch.verdicts == ("ok", "ok", "wrong")


@pytest.mark.usefixtures("graders")
def test_a_process_killed_while_idle_is_replaced() -> None:
    with RewardEngine(own_spec()) as engine:
        (pid,) = engine.pids()
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)
        assert engine.grade(["a"], ["1"]).verdicts == ("ok",)
        assert engine.pids() != [pid]


@pytest.mark.usefixtures("graders")
def test_rewards_come_back_in_the_order_of_the_answers_from_many_threads() -> None:
    answers = [str(number % 2) for number in range(60)]
    expected = np.array([number % 2 for number in range(60)], dtype=np.float32)
    results: list[np.ndarray] = []
    with RewardEngine(own_spec(5.0), workers=2) as engine:
        threads = [
            threading.Thread(
                target=lambda: results.append(engine.grade(["a"] * 60, answers).rewards)
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert engine.counts()["ok"] == engine.counts()["wrong"] == 120
    assert len(results) == 4
    for rewards in results:
        np.testing.assert_array_equal(rewards, expected)


def test_the_format_has_its_weight() -> None:
    spec = RewardSpec(grader="exact_match", format_weight=0.25)
    with RewardEngine(spec) as engine:
        batch = engine.grade([r"<think>x</think>\boxed{a}", r"\boxed{a}", "a"], ["a"] * 3)
        assert batch.rewards.tolist() == [1.0, 0.75, 0.0]
        assert batch.verdicts == ("ok", "ok", "no_box")
        assert len(engine.grade([], []).verdicts) == 0


def test_an_expression_that_sympy_never_finishes_is_a_timeout() -> None:
    with RewardEngine(RewardSpec(grader="math", timeout_seconds=0.5)) as engine:
        batch = engine.grade([r"\boxed{x+1}", r"\boxed{9**9**9**9 x}"], ["1+x", "x+2"])
        assert batch.verdicts == ("ok", "timeout")


def test_every_response_needs_a_reference() -> None:
    with (
        RewardEngine(RewardSpec(grader="exact_match")) as engine,
        pytest.raises(ConsistencyError, match="got 2 and 1"),
    ):
        engine.grade(["a", "b"], ["a"])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("import no_such_thing", "ModuleNotFoundError", id="import"),
        pytest.param("other = 1", "no callable 'mixed'", id="function"),
        pytest.param("import time; time.sleep(60)", "must load within 0.5 s", id="loads-for-ever"),
    ],
)
def test_a_grader_that_does_not_load_is_a_wrong_spec(
    graders: Path, source: str, reason: str
) -> None:
    (graders / "engine_graders.py").write_text(source)
    with pytest.raises(InvalidSpecError, match=reason):
        RewardEngine(own_spec(), start_timeout_seconds=0.5)


def test_a_process_that_never_comes_up_is_a_dead_role(graders: Path) -> None:
    (graders / "engine_graders.py").write_text("import os; os._exit(1)")
    with pytest.raises(RoleDiedError, match="ended while it loaded 'engine_graders:mixed'"):
        RewardEngine(own_spec())


@pytest.mark.usefixtures("graders")
def test_close_leaves_no_process_and_refuses_more_work() -> None:
    engine = RewardEngine(own_spec(), workers=2)
    pids = engine.pids()
    engine.close()
    engine.close()
    assert len(pids) == 2
    for pid in pids:
        wait_for_end(pid)
    with pytest.raises(RoleDiedError, match="closed"):
        engine.grade(["a"], ["1"])


def test_close_ends_a_grade_that_is_under_way(graders: Path) -> None:
    engine = RewardEngine(own_spec(60.0))
    caught: list[BaseException] = []

    def grade() -> None:
        try:
            engine.grade(["wait", "a"], ["1", "1"])
        except RoleDiedError as error:
            caught.append(error)

    thread = threading.Thread(target=grade)
    thread.start()
    deadline = time.monotonic() + 5.0
    while not (graders / "waiting").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    engine.close()
    thread.join(5.0)
    assert len(caught) == 1


OWNER = """
import sys, threading
from vppo_core.spec.reward import RewardSpec
from vppo_services.reward.engine import RewardEngine
engine = RewardEngine(RewardSpec(grader="engine_graders:mixed", timeout_seconds=60), workers=2)
threading.Thread(target=engine.grade, args=(["c hang"], ["1"])).start()
print(*engine.pids(), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_processes_die_with_their_owner_even_while_they_hang(graders: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(graders), *sys.path])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    pids = [int(word) for word in owner.stdout.readline().split()]
    owner.kill()
    owner.communicate()
    assert len(pids) == 2
    for pid in pids:
        wait_for_end(pid)
