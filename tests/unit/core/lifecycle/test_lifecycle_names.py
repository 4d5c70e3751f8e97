"""Names are legal labels of bounded length, and the same for the same request."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.lifecycle.names import (
    MAX_NAME,
    MAX_SLUG,
    attempt_name,
    generated_name,
    idempotent_name,
    slug,
)
from vppo_core.spec.job import ObjectMeta

LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("demo-vppo", "demo-vppo", id="as-it-is"),
        pytest.param("Qwen/Qwen2.5-VL-7B", "qwen-qwen2-5-vl-7b", id="a-model"),
        pytest.param("7b_run", "job-7b-run", id="a-digit-first"),
        pytest.param("--a--", "a", id="dashes"),
        pytest.param("", "job", id="empty"),
        pytest.param("模型", "job", id="nothing-left"),
        pytest.param("a" * 31, "a" * 31, id="31"),
        pytest.param("a" * 32, "a" * 31, id="32"),
        pytest.param("a" * 30 + "-b", "a" * 30, id="a-dash-at-the-cut"),
    ],
)
def test_a_slug_is_what_a_label_can_hold_of_a_text(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(st.text(), st.text(), st.text(min_size=1))
def test_any_text_gives_a_legal_name(text: str, tenant: str, key: str) -> None:
    assert LABEL.fullmatch(slug(text))
    assert len(slug(text)) <= MAX_SLUG
    for name in (idempotent_name(text, tenant, key), generated_name(text, key)):
        assert LABEL.fullmatch(name)
        assert ObjectMeta(name=name).name == name


def test_the_longest_idempotent_name_just_fits() -> None:
    assert len(idempotent_name("a" * 99, "t", "k")) == MAX_NAME == 40


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        pytest.param(("t", "k"), ("t", "k"), True, id="the-same-request"),
        pytest.param(("t", "k"), ("t", "l"), False, id="another-key"),
        pytest.param(("t", "k"), ("u", "k"), False, id="another-tenant"),
        pytest.param(("ab", "c"), ("a", "bc"), False, id="no-seam"),
    ],
)
def test_tenant_and_key_decide_the_name(
    one: tuple[str, str], other: tuple[str, str], are_equal: bool
) -> None:
    assert (idempotent_name("a", *one) == idempotent_name("a", *other)) is are_equal


def test_an_idempotent_name_never_changes() -> None:
    assert idempotent_name("demo", "alice", "key-1") == "demo-dtlz5gf3"


def test_a_generated_name_is_short_and_follows_the_uid() -> None:
    names = {generated_name("demo", f"uid-{i}") for i in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"demo-[a-z2-7]{5}", name) for name in names)


def test_the_longest_attempt_name_has_46_characters() -> None:
    assert attempt_name("a" * 40, 9999) == "a" * 40 + "-a9999"
    assert attempt_name("demo", 1) == "demo-a1"


@pytest.mark.parametrize(
    ("job", "index"),
    [("a" * 41, 1), ("", 1), ("a", 0), ("a", 10_000)],
    ids=["41", "empty", "index-0", "index-10000"],
)
def test_what_does_not_fit_is_a_fault_of_ours(job: str, index: int) -> None:
    with pytest.raises(AssertionError):
        attempt_name(job, index)
