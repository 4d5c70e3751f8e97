"""Reaching an API through `kubectl`, which a script plays."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.cli import port_forward
from vppo_services.cli.server import server_of

SCRIPT = """\
#!/bin/sh
echo "$@" >> {calls}
case "$1" in
  config) printf '%s' '{token}' ;;
  port-forward) {forward} ;;
esac
"""
FORWARD = 'echo "Forwarding from 127.0.0.1:40123 -> 8080"; exec sleep 60'

Kubectl = Callable[..., Path]


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubectl]:
    """Puts a kubectl into the way; gives the file of its calls. What it starts ends here."""
    started = []
    monkeypatch.setattr(
        port_forward.atexit, "register", lambda end, process: started.append((end, process))
    )
    port_forward.forwarded_address.cache_clear()

    def make(*, token: str = "secret", forward: str = FORWARD) -> Path:
        calls = tmp_path / "calls"
        script = tmp_path / "kubectl"
        script.write_text(SCRIPT.format(calls=calls, token=token, forward=forward))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        return calls

    yield make
    for end, process in started:
        end(process)
        assert process.poll() is not None
    port_forward.forwarded_address.cache_clear()


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("kube://", "--namespace=vppo --address=127.0.0.1 service/vppo-api :http"),
        ("kube://ml/train", "--namespace=ml --address=127.0.0.1 service/train :http"),
        ("kube://ml/train:8080/", "--namespace=ml --address=127.0.0.1 service/train :8080"),
    ],
)
def test_a_port_is_forwarded_and_the_kubeconfigs_token_sent(
    kubectl: Kubectl, address: str, arguments: str
) -> None:
    calls = kubectl()
    for _ in range(2):  # one port for the whole program
        server = server_of(address, None, {})
        assert (server.address, server.token) == ("http://127.0.0.1:40123", "secret")
        assert server.is_loopback
    forwarded = [line for line in calls.read_text().splitlines() if "port-forward" in line]
    assert forwarded == [f"port-forward {arguments}"]


def test_another_token_is_sent_in_place_of_it(kubectl: Kubectl) -> None:
    kubectl(token="")
    assert server_of("kube://", None, {"VPPO_TOKEN": "mine"}).token == "mine"
    with pytest.raises(InvalidSpecError, match="set VPPO_TOKEN"):
        server_of("kube://", None, {})


def test_what_kubectl_says_is_told(kubectl: Kubectl) -> None:
    kubectl(forward='echo "error: services \\"vppo-api\\" not found" >&2; exit 1')
    with pytest.raises(InvalidSpecError, match="not found"):
        server_of("kube://", None, {})


def test_a_wrong_place_and_no_kubectl_are_sentences(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidSpecError, match="--server must be kube://NAMESPACE/SERVICE"):
        server_of("kube://-/x/y", None, {})
    with pytest.raises(InvalidSpecError, match="kubectl must be installed"):
        server_of("kube://a/b", None, {})
