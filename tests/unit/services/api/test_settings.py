"""Settings of the API: from the environment, or given."""

from pathlib import Path

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.api.settings import is_loopback, read_settings


def test_settings_come_from_the_environment_and_what_is_given_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("API_PORT", "9000")
    monkeypatch.setenv("API_MAX_STREAMS", "3")
    monkeypatch.setenv("API_ALLOW_PRIVATE_WEBHOOKS", "true")
    assert read_settings().port == 9000
    settings = read_settings(port=9001)
    assert (settings.port, settings.max_streams, settings.allow_private_webhooks) == (9001, 3, True)


def test_only_this_machine_is_listened_to_by_default() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.token_file) == ("127.0.0.1", 8080, None)
    assert not settings.allow_private_webhooks


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "vppo.example", ""])
def test_other_machines_need_tokens(host: str) -> None:
    with pytest.raises(InvalidSpecError, match="API_HOST must be a loopback address") as caught:
        read_settings(host=host)
    assert "name a token file" in str(caught.value)
    assert read_settings(host=host, token_file=Path("tokens")).host == host


CLUSTER = {"job_store": "kube", "platform": Path("platform.yaml")}


def test_a_pod_is_set_up_by_its_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "JOB_STORE": "kube",
        "HOST": "0.0.0.0",
        "NAMESPACE": "team",
        "NAMESPACES": "default, team",
        "STATE": "/state",
        "DATABASE": "postgresql+psycopg://vppo@db/vppo",
        "PLATFORM": "/etc/vppo/platform.yaml",
    }.items():
        monkeypatch.setenv(f"API_{name}", value)
    settings = read_settings()
    assert settings.is_cluster
    assert (settings.namespace, settings.namespaces) == ("team", ("default", "team"))
    assert settings.state == Path("/state")
    assert settings.trouble_with("default") == ""
    assert "must be one that this server serves, 'default', 'team'" in settings.trouble_with("x")


def test_which_namespaces_are_served() -> None:
    assert read_settings().trouble_with("default") == ""
    assert read_settings().trouble_with("team").startswith("must be 'default' on one machine")
    assert read_settings(**CLUSTER).trouble_with("team") == ""


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"platform": None}, "API_PLATFORM must name the platform file"),
        ({"token_file": Path("tokens")}, "API_TOKEN_FILE must be empty"),
        ({"namespaces": "a,b"}, r"API_NAMESPACE must be one of API_NAMESPACES \(a, b\)"),
        ({"namespaces": "default,Team"}, "must be namespaces of a cluster, got 'Team'"),
        ({"namespace": "-"}, "must be namespaces of a cluster, got '-'"),
        ({"job_store": "etcd"}, "API_JOB_STORE is wrong"),
    ],
)
def test_a_cluster_is_set_up_as_a_whole(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidSpecError, match=sentence):
        read_settings(**CLUSTER | given)


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "http"), ("port", 70_000), ("rate", 0), ("burst", 0), ("max_streams", -1)],
)
def test_a_wrong_setting_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidSpecError, match=f"API_{name.upper()} is wrong"):
        read_settings(**{name: value})


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
    ],
)
def test_loopback_addresses_are_known(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
