"""The courier when things go wrong: training goes on, and a request to stop is heard."""

import ipaddress
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sim.receiver_server import ReceiverServer
from tests.unit.services.driver.courier_scene import KNOWN, Scene
from vppo_core.runs.files import StopFile, write_json
from vppo_core.runs.protocol import AttemptFile, Report
from vppo_services.driver.courier import Courier
from vppo_services.driver.receiver import AwayError, Receiver

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_a_receiver_that_is_away_is_told_later_and_logged_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.write("metrics.jsonl", "1\n")
    assert scene.courier.round()
    scene.server.stop()
    scene.write("metrics.jsonl", "1\n2\n")
    with caplog.at_level(logging.INFO, logger="vppo_services"):
        pauses = [scene.courier.pause_seconds]
        for _ in range(6):
            assert not scene.courier.round()
            pauses.append(scene.courier.pause_seconds)
        scene.server.start()
        assert scene.courier.round()
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    assert scene.courier.pause_seconds == 5.0
    assert scene.arrived("metrics.jsonl") == "1\n2\n"
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert "training goes on" in texts[0]
    assert texts[1] == "the operator answers again, after 6 failures"


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda scene: scene.token.write_text("expired"), id="401"),
        pytest.param(lambda scene: scene.token.unlink(), id="no-token"),
        pytest.param(lambda scene: setattr(scene.server.kube, "is_unavailable", True), id="503"),
        pytest.param(lambda scene: scene.there.path.parent.write_text("x"), id="disk"),
    ],
)
def test_no_trouble_ends_the_training(scene: Scene, break_it: Callable[[Scene], Any]) -> None:
    break_it(scene)
    for _ in range(4):
        assert not scene.courier.round()
    assert scene.stops == []


def test_a_token_that_was_renewed_on_disk_is_used(scene: Scene) -> None:
    assert scene.courier.round()
    scene.server.allow("new", namespace="team", job="colours")
    del scene.server.kube.reviews.accounts["good"]
    scene.server.seconds = 100.0
    assert not scene.courier.round()
    scene.token.write_text("new")
    assert scene.courier.round()


def test_an_error_that_nobody_expected_stays_in_the_courier(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(Receiver, "report", broken)
    assert not scene.courier.round()


def test_a_request_to_stop_is_heard_once_and_written_down(scene: Scene) -> None:
    assert scene.courier.round()
    stop = StopFile(reason="Paused", requested=NOON, deadline=NOON)
    write_json(scene.there.stop(2), stop)
    for _ in range(3):
        assert scene.courier.round()
    assert len(scene.stops) == 1
    assert StopFile.read(scene.run.stop(2)) == stop.model_copy(update={"is_signalled": True})


def test_a_job_that_was_deleted_stops_the_attempt(scene: Scene) -> None:
    assert scene.courier.round()
    scene.server.known.clear()
    assert not scene.courier.round()
    assert not scene.courier.round()
    assert scene.stops == [], "an operator that starts may not know its jobs yet"
    scene.server.known.add(KNOWN)
    assert scene.courier.round()
    scene.server.known.clear()
    for _ in range(5):
        assert not scene.courier.round()
    assert len(scene.stops) == 1
    stop = StopFile.read(scene.run.stop(2))
    assert stop is not None
    assert stop.reason == "Deleted"


def test_the_404_of_a_wrong_address_stops_nothing(scene: Scene) -> None:
    file = scene.file().model_copy(update={"receiver": scene.server.url + "/elsewhere"})
    courier = Courier(
        Receiver(file), scene.run, 2, incarnation="one", stop=lambda: scene.stops.append(None)
    )
    for _ in range(5):
        assert not courier.round()
    assert scene.stops == []


def test_the_thread_tells_a_checkpoint_at_once_and_the_exit_before_it_ends(scene: Scene) -> None:
    courier = scene.new_courier(interval_seconds=3600.0)
    courier.start()
    wait_for(lambda: scene.there.launched(2).exists())
    scene.write("checkpoints.jsonl", "1\n")
    wait_for(lambda: scene.there.checkpoint_lines.exists())
    scene.write("attempts/2/exit.json", json.dumps({"outcome": "Failed"}))
    scene.write("report.html", "the last that is written")
    courier.close(30.0)
    assert scene.arrived("attempts/2/exit.json") == '{"outcome": "Failed"}'
    assert scene.arrived("report.html") == "the last that is written"
    assert "courier" not in {thread.name for thread in threading.enumerate()}


def test_a_checkpoint_at_the_end_of_a_round_is_told_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = scene.new_courier(interval_seconds=3600.0)
    whole = courier.round

    def round_before_a_checkpoint(*, bulk_seconds: float) -> bool:
        is_done = whole(bulk_seconds=bulk_seconds)
        monkeypatch.setattr(courier, "round", whole)
        scene.write("checkpoints.jsonl", "1\n")
        return is_done

    monkeypatch.setattr(courier, "round", round_before_a_checkpoint)
    courier.start()
    wait_for(lambda: scene.there.checkpoint_lines.exists())
    courier.close(30.0)
    assert scene.arrived("checkpoints.jsonl") == "1\n"


def test_the_last_files_wait_for_a_receiver_that_comes_back(scene: Scene) -> None:
    scene.server.stop()
    courier = scene.new_courier(interval_seconds=0.1)
    courier.start()
    scene.write("attempts/2/exit.json", "{}")
    closing = threading.Thread(target=courier.close, args=(60.0,))
    closing.start()
    scene.server.start()
    closing.join(60.0)
    assert scene.arrived("attempts/2/exit.json") == "{}"


def test_the_end_is_not_held_up_by_a_job_that_is_gone(scene: Scene) -> None:
    scene.server.known.clear()
    courier = scene.new_courier()
    courier.start()
    courier.close(3600.0)


def wait_for(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came")


def test_a_receiver_is_trusted_by_its_certificate(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, other = certificate_of(tmp_path), certificate_of(tmp_path / "other")
    server = ReceiverServer(tmp_path / "jobs", certificate=certificate)
    server.allow("good", namespace="team", job="colours")
    server.known.add(KNOWN)
    server.start()
    (tmp_path / "token").write_text("good")
    file = AttemptFile(
        job="colours",
        namespace="team",
        uid="uid-1",
        attempt=2,
        output="unused",
        receiver=server.url,
        token_file=str(tmp_path / "token"),
    )
    try:
        trusting = Receiver(file.model_copy(update={"ca_file": str(certificate)}))
        assert trusting.report(Report(incarnation="one")).stop is None
        for ca_file in ("", str(other), str(tmp_path / "none")):
            doubting = Receiver(file.model_copy(update={"ca_file": ca_file}))
            with pytest.raises(AwayError):
                doubting.report(Report(incarnation="one"))
    finally:
        server.stop()


def certificate_of(folder: Path) -> Path:
    """Key and certificate of 127.0.0.1, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vppo-operator")])
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    pem, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, clear)
    path.write_bytes(secret + certificate.public_bytes(pem))
    return path
