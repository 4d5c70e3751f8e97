import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.errors import InvalidSpecError
from vppo_core.rewards.base import Reward, Verdict, combine
from vppo_core.rewards.exact_match import grade as exact_match
from vppo_core.rewards.math_verify import grade as math_verify
from vppo_core.rewards.registry import BUILT_IN, resolve
from vppo_core.spec.reward import GRADERS

UNIT = st.floats(0.0, 1.0)


@given(UNIT, UNIT, UNIT)
def test_the_reward_is_a_weighted_mean_of_accuracy_and_format(
    accuracy: float, style: float, weight: float
) -> None:
    combined = combine(Reward(accuracy, style, Verdict.OK), weight)
    assert min(accuracy, style) - 1e-12 <= combined <= max(accuracy, style) + 1e-12
    assert combine(Reward(accuracy, style, Verdict.OK), 0.0) == accuracy


@pytest.mark.parametrize(
    ("text", "answer", "verdict"),
    [
        pytest.param(r"\boxed{Dark  Blue}", "dark blue", Verdict.OK, id="case-and-blanks"),
        pytest.param(r"\boxed{blue}", "dark blue", Verdict.WRONG, id="other-text"),
        pytest.param(r"\boxed{0.5}", "1/2", Verdict.WRONG, id="no-arithmetic"),
        pytest.param("dark blue", "dark blue", Verdict.NO_BOX, id="no-box"),
        pytest.param("nothing", "None", Verdict.NO_BOX, id="no-box-is-never-right"),
    ],
)
def test_exact_match_compares_text(text: str, answer: str, verdict: Verdict) -> None:
    reward = exact_match(text, answer)
    assert reward.verdict is verdict
    assert reward.accuracy == float(verdict is Verdict.OK)


@pytest.mark.parametrize(
    ("text", "answer", "verdict"),
    [
        pytest.param(r"\boxed{\frac{2}{4}}", "1/2", Verdict.OK, id="unreduced-fraction"),
        pytest.param(r"\boxed{\{2,1\}}", r"\{1,2\}", Verdict.OK, id="order-of-a-set"),
        pytest.param(r"\boxed{B}", "B", Verdict.OK, id="choice-letter"),
        pytest.param(r"\boxed{red}", "Red", Verdict.OK, id="a-word"),
        pytest.param(r"\boxed{B}", "C", Verdict.WRONG, id="other-letter"),
        pytest.param(r"\boxed{\frac{}}", "3", Verdict.WRONG, id="broken-latex"),
        pytest.param("3", "3", Verdict.NO_BOX, id="no-box"),
    ],
)
def test_math_verify_reads_more_than_the_published_grader(
    text: str, answer: str, verdict: Verdict
) -> None:
    assert math_verify(text, answer).verdict is verdict


def test_every_grader_of_the_spec_is_built_in() -> None:
    assert set(GRADERS) == set(BUILT_IN)
    for name in GRADERS:
        assert resolve(name)(r"\boxed{7}", "7").accuracy == 1.0


def test_an_unknown_grader_is_told_apart_with_the_known_ones() -> None:
    with pytest.raises(InvalidSpecError, match=r"reward\.grader.*'math_verify'.*got 'maths'"):
        resolve("maths")


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_graders_of_test.py").write_text(
        "from vppo_core.rewards.base import Reward, Verdict\n"
        "number = lambda text, answer: text.count(answer) / 4\n"
        "def whole(text, answer): return Reward(0.5, 1.0, Verdict.WRONG)\n"
        "def word(text, answer): return 'good'\n"
        "def large(text, answer): return 3\n"
        "def nan(text, answer): return float('nan')\n"
        "LIMIT = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "own_graders_of_test"


def test_a_function_of_your_own_may_return_a_number_or_a_reward(own_module: str) -> None:
    number = resolve(f"{own_module}:number")
    assert number("xx", "x") == Reward(0.5, 0.0, Verdict.OK)
    assert number("yy", "x") == Reward(0.0, 0.0, Verdict.WRONG)
    assert resolve(f"{own_module}:whole")("", "") == Reward(0.5, 1.0, Verdict.WRONG)


@pytest.mark.parametrize("name", ["word", "large", "nan"])
def test_a_function_of_your_own_is_held_to_the_unit_interval(own_module: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"must return a number in \[0, 1\]"):
        resolve(f"{own_module}:{name}")("", "")


@pytest.mark.parametrize(
    ("grader", "reason"),
    [
        pytest.param("no_such_module_here:f", "ModuleNotFoundError", id="module"),
        pytest.param("own_graders_of_test:g", "no callable 'g'", id="function"),
        pytest.param("own_graders_of_test:LIMIT", "no callable 'LIMIT'", id="not-a-function"),
    ],
)
def test_a_function_that_is_not_there_is_named(own_module: str, grader: str, reason: str) -> None:
    assert own_module
    with pytest.raises(InvalidSpecError, match=reason) as caught:
        resolve(grader)
    assert f"'{grader}'" in str(caught.value)


def test_the_registry_loads_neither_sympy_nor_a_gpu_stack() -> None:
    program = (
        "import sys, vppo_core.rewards.registry as r; r.resolve('exact_match');"
        "print(sorted({'torch', 'ray', 'transformers', 'sympy', 'math_verify'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
