"""Secrets: by reference only, but for the receiver's certificate, which is made in the cluster."""

import base64
import ssl
from pathlib import Path

import pytest

from tests.unit.charts.rendering import NAMESPACE, PROFILES, of_kind, of_profile


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "dev"])
def test_no_secret_is_made_from_values(profile: str) -> None:
    for name, secret in of_kind(of_profile(profile), "Secret").items():
        assert name == "vppo-receiver"
        assert secret["type"] == "kubernetes.io/tls"


def test_on_a_cluster_of_ones_own_a_password_may_stand_in_the_values() -> None:
    secret = of_kind(of_profile("dev"), "Secret")["vppo-database"]
    assert secret["stringData"] == {"url": "postgresql+psycopg://vppo:secret@db/vppo"}


@pytest.mark.parametrize("profile", ["own-certificate", "cert-manager"])
def test_no_certificate_is_made_where_another_one_is_given(profile: str) -> None:
    objects = of_profile(profile)
    assert not of_kind(objects, "Secret")
    wanted = "mine" if profile == "own-certificate" else "vppo-receiver"
    volumes = of_kind(objects, "Deployment")["vppo"]["spec"]["template"]["spec"]["volumes"]
    assert [one["secret"]["secretName"] for one in volumes if "secret" in one] == [wanted]


def test_cert_manager_is_asked_for_the_receivers_name() -> None:
    certificate = of_kind(of_profile("cert-manager"), "Certificate")["vppo-receiver"]["spec"]
    assert f"vppo-operator.{NAMESPACE}.svc" in certificate["dnsNames"]
    assert certificate["issuerRef"]["name"] == "ca"


def test_a_driver_that_trusts_the_authority_trusts_the_receiver(tmp_path: Path) -> None:
    data = of_kind(of_profile("default"), "Secret")["vppo-receiver"]["data"]
    pem = {name: base64.b64decode(text).decode() for name, text in data.items()}
    for name, text in pem.items():
        (tmp_path / name).write_text(text)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client_side = ssl.create_default_context(cadata=pem["ca.crt"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(
        to_client, to_server, server_hostname=f"vppo-operator.{NAMESPACE}.svc"
    )
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.getpeercert()


def test_the_certificate_outlives_the_release_because_drivers_hold_a_copy_of_its_authority() -> (
    None
):
    secret = of_kind(of_profile("default"), "Secret")["vppo-receiver"]
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
