"""What a driver left behind names the class of its failure; every error of ours has one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core import errors
from vppo_core.errors import VPPOError
from vppo_core.lifecycle.failures import RULES, backoff_seconds, classify, is_charged
from vppo_core.spec.status import FailureClass

F = FailureClass


@pytest.mark.parametrize(
    ("code", "name", "message", "expected"),
    [
        pytest.param(2, "InvalidSpec", "", F.USER_ERROR, id="invalid-spec"),
        pytest.param(2, "InvalidData", "", F.USER_ERROR, id="invalid-data"),
        pytest.param(3, "TooManyBadRows", "", F.DATA_ERROR, id="bad-rows"),
        pytest.param(4, "NoSignal", "", F.DATA_ERROR, id="no-signal"),
        pytest.param(5, "Diverged", "", F.APP_FAILED, id="diverged"),
        pytest.param(10, "RoleDied", "role reward died", F.APP_FAILED, id="role-died"),
        pytest.param(
            10, "RoleDied", "OutOfMemoryError: CUDA", F.OUT_OF_MEMORY, id="role-ran-out-of-memory"
        ),
        pytest.param(
            10, "RoleDied", "node was running LOW ON MEMORY", F.OUT_OF_MEMORY, id="ray-evicted-it"
        ),
        pytest.param(10, "RoleDied", "NCCL timeout", F.NETWORK, id="role-lost-its-peers"),
        pytest.param(10, "RoleDied", "its node was marked dead", F.NODE_LOST, id="role-lost-node"),
        pytest.param(11, "RoleTimeout", "", F.NETWORK, id="role-timeout"),
        pytest.param(12, "Inconsistent", "", F.APP_FAILED, id="inconsistent"),
        pytest.param(13, "Checkpoint", "", F.APP_FAILED, id="checkpoint"),
        pytest.param(1, "Unknown", "KeyError: 'a'", F.APP_FAILED, id="unknown"),
        pytest.param(1, "Unknown", "MemoryError", F.OUT_OF_MEMORY, id="unknown-memory"),
        pytest.param(1, "Brandnew", "", F.APP_FAILED, id="a-newer-driver"),
        pytest.param(1, "Preempted", "", F.PREEMPTED, id="our-own-word"),
        pytest.param(2, "InvalidData", "out of memory", F.USER_ERROR, id="a-name-beats-a-word"),
        pytest.param(2, "", "", F.USER_ERROR, id="exit-2"),
        pytest.param(3, "", "", F.DATA_ERROR, id="exit-3"),
        pytest.param(0, "", "", F.APP_FAILED, id="exit-0-without-a-report"),
        pytest.param(-9, "", "", F.NODE_LOST, id="killed"),
        pytest.param(137, "", "", F.NODE_LOST, id="killed-in-a-shell"),
        pytest.param(137, "", "OOMKilled", F.OUT_OF_MEMORY, id="killed-for-its-memory"),
        pytest.param(-15, "", "", F.PREEMPTED, id="terminated"),
        pytest.param(None, "", "", F.NODE_LOST, id="vanished"),
        pytest.param(None, "", "step 3 done, nccl is up", F.NODE_LOST, id="vanished-amid-work"),
    ],
)
def test_the_class_follows_from_what_was_left(
    code: int | None, name: str, message: str, expected: FailureClass
) -> None:
    found = classify(exit_code=code, failure_class=name, message=message, was_launched=True)
    assert found is expected


def test_what_was_never_launched_did_not_start() -> None:
    found = classify(exit_code=None, failure_class="", message="no such file", was_launched=False)
    assert found is F.START_TIMEOUT


KINDS = [one for one in vars(errors).values() if isinstance(one, type) and one is not VPPOError]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_an_error_of_ours_has_the_same_class_by_name_and_by_exit_code(
    kind: type[VPPOError],
) -> None:
    by_name, by_code = (
        classify(exit_code=kind.exit_code, failure_class=name, message="", was_launched=True)
        for name in (kind.failure_class, "")
    )
    assert by_name is by_code


def test_every_class_has_a_rule_and_a_hint() -> None:
    assert set(RULES) == set(FailureClass)
    assert all(rule.hint.endswith(".") for rule in RULES.values())
    free = {one for one in FailureClass if not is_charged(one)}
    assert free == {F.PREEMPTED, F.NODE_LOST, F.START_TIMEOUT, F.RENDERING}


@given(st.text(max_size=40), st.integers(1, 50))
def test_the_back_off_is_bounded_and_the_same_whenever_it_is_asked(uid: str, row: int) -> None:
    wait = backoff_seconds(uid, row)
    assert 0 < wait <= min(10 * 2 ** (row - 1), 600)
    assert wait == backoff_seconds(uid, row)


def test_the_back_off_spreads_over_its_whole_range() -> None:
    waits = [backoff_seconds(f"job-{i}", 9) for i in range(400)]
    assert len(set(waits)) == 400
    assert min(waits) < 30
    assert max(waits) > 570
    assert 270 < sum(waits) / 400 < 330
