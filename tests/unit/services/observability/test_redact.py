import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.redact import redact


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("https://host/a?token=SECRET99&x=1", id="query"),
        pytest.param("HF_TOKEN=SECRET99", id="environment"),
        pytest.param("password=SECRET99, retrying", id="assignment"),
        pytest.param('{"api_key": "SECRET99"}', id="json"),
        pytest.param("{'aws_secret_access_key': 'SECRET99'}", id="dict"),
        pytest.param("Authorization: Bearer SECRET99.abc", id="header"),
        pytest.param("postgresql://user:SECRET99@db/x", id="url"),
        pytest.param("redis://:SECRET99@cache", id="url-without-user"),
        pytest.param("got eyJhbGciOiJSUzI1.SECRET99SECRET.c2lnbmVk", id="web-token"),
        pytest.param("cannot use hf_SECRET99SECRET99SECRET99", id="hub-token"),
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "SECRET99" not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "token_dependency=0.31 max_tokens=2048 response_tokens_mean=12",
        "the token has 3 nats; tokens: 5",
        "http://127.0.0.1:5000/api at 12:30:05",
        "s3://bucket/key@v2",
    ],
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)
