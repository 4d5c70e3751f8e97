"""Which server is spoken to, and with which token."""

from pathlib import Path

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.cli.server import DEFAULT_SERVER, server_of


@pytest.mark.parametrize(
    ("written", "environment", "address"),
    [
        pytest.param("", {}, DEFAULT_SERVER, id="neither"),
        pytest.param("", {"VPPO_SERVER": "http://a:1/"}, "http://a:1", id="environment"),
        pytest.param("http://b", {"VPPO_SERVER": "http://a"}, "http://b", id="option-wins"),
        pytest.param("localhost:8080", {}, "http://localhost:8080", id="scheme-left-out"),
        pytest.param("https://x/vppo/", {}, "https://x/vppo", id="behind-a-proxy"),
        pytest.param("http://[::1]:8080", {}, "http://[::1]:8080", id="ipv6"),
    ],
)
def test_the_address_is_found(written: str, environment: dict[str, str], address: str) -> None:
    assert server_of(written, None, environment).address == address


@pytest.mark.parametrize(
    "written", ["ftp://x", "http://", "http://x:port", "x:99999", "http://x?a=1", "http://u:p@x"]
)
def test_a_wrong_address_is_a_sentence(written: str) -> None:
    with pytest.raises(InvalidSpecError, match="--server must be an address such as"):
        server_of(written, None, {})


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1", True),
        ("http://[::1]", True),
        ("http://example.org", False),
    ],
)
def test_no_proxy_is_asked_on_this_machine(address: str, is_loopback: bool) -> None:
    assert server_of(address, None, {}).is_loopback is is_loopback


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(" secret \nmore\n", id="alone"),
        pytest.param("# tokens\n\nsecret alice editor # me\n", id="the-servers-own-file"),
    ],
)
def test_the_token_is_the_first_word_of_its_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    assert server_of("", path, {"VPPO_TOKEN": "other"}).token == "secret"


def test_the_token_may_be_in_the_environment() -> None:
    assert server_of("", None, {"VPPO_TOKEN": "other\n"}).token == "other"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, "--token-file must be a readable file", id="no-file"),
        pytest.param("\n# nothing", "--token-file must start with a token", id="empty"),
        pytest.param("a" * 70_000, "--token-file must start with a token", id="too-long"),
        pytest.param("schlüssel", "a token must be printable ASCII", id="not-ascii"),
    ],
)
def test_a_token_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidSpecError, match=sentence):
        server_of("", path, {})
