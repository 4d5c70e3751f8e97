"""The environment is read once, and what is wrong with it is told by name."""

from pathlib import Path

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_operator.settings import read_settings


@pytest.fixture(autouse=True)
def platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_PLATFORM_FILE", "/etc/platform.yaml")


def test_it_runs_with_nothing_but_a_platform() -> None:
    settings = read_settings(state=Path("/state"))
    assert settings.namespaces == ()
    assert settings.database == "sqlite:////state/vppo.db"
    assert not settings.has_receiver


def test_namespaces_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_NAMESPACES", "team-a, team-b,")
    assert read_settings().namespaces == ("team-a", "team-b")
    assert read_settings(namespaces=("x",)).namespaces == ("x",)


def test_there_may_be_no_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_DATABASE_URL", "none")
    assert read_settings().database == ""


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OPERATOR_WORKERS", "0", "OPERATOR_WORKERS is wrong"),
        ("OPERATOR_METRICS_PORT", "x", "OPERATOR_METRICS_PORT is wrong"),
        ("OPERATOR_RECEIVER_CERT_FILE", "/a", "must come with OPERATOR_RECEIVER_KEY_FILE"),
    ],
)
def test_what_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSpecError, match=sentence):
        read_settings()


def test_a_platform_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPERATOR_PLATFORM_FILE")
    with pytest.raises(InvalidSpecError, match="OPERATOR_PLATFORM_FILE must be set"):
        read_settings()
