"""What a receiver of webhooks accepts."""

import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from vppo_services.api.outbox import verify_signature

SECRET = "0123456789abcdef"


def test_signature_equals_a_recorded_one() -> None:
    """Of `printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef`."""
    recorded = "e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
    assert verify_signature(
        SECRET,
        timestamp="1700000000",
        body=b"{}",
        given=f"v1={recorded}",
        now=datetime.fromtimestamp(1700000300, UTC),
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"body": b"{ }"}, "another body", id="body"),
        pytest.param({"timestamp": "1700000001"}, "another time", id="timestamp"),
        pytest.param({"secret": "0123456789abcdeF"}, "another secret", id="secret"),
        pytest.param({"given": "v1="}, "no signature", id="empty"),
        pytest.param({"given": "v1=ä"}, "no ASCII", id="not-ascii"),
        pytest.param({"timestamp": "-1"}, "no time", id="negative"),
        pytest.param({"timestamp": "x"}, "no number", id="no-number"),
        pytest.param({"now": datetime.fromtimestamp(1700000301, UTC)}, "too old", id="old"),
        pytest.param({"now": datetime.fromtimestamp(1699999699, UTC)}, "too new", id="future"),
    ],
)
def test_receiver_refuses_anything_else(changes: dict[str, Any], why: str) -> None:
    digest = hmac.digest(SECRET.encode(), b"1700000000.{}", "sha256").hex()
    message: dict[str, Any] = {
        "secret": SECRET,
        "timestamp": "1700000000",
        "body": b"{}",
        "given": f"v1={digest}",
        "now": datetime.fromtimestamp(1700000000, UTC),
    }
    message.update(changes)
    assert not verify_signature(message.pop("secret"), **message), why
