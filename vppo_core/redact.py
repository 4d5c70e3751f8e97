"""Secrets taken out of texts before they are written anywhere."""

import re
from typing import Final

HIDDEN: Final = "[redacted]"

_SECRET_NAME: Final = (
    r"(?:[A-Za-z0-9_-]*[_-])?(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key)"
)
_ASSIGNED: Final = re.compile(rf"(?i)(?<![A-Za-z0-9_-])({_SECRET_NAME})=([^\s&,;\"')\]}}]+)")
_QUOTED: Final = re.compile(rf"(?i)([\"']{_SECRET_NAME}[\"']\s*[:=]\s*[\"'])([^\"']+)")
_AUTHORIZATION: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_URL_PASSWORD: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):([^\s/@]+)@")
_HUB_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{16,}\b")
_WEB_TOKEN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+")
"""A JSON web token: what service accounts and OIDC show."""


def redact(text: str) -> str:
    """The text without tokens, keys and passwords: `name=value`, JSON, headers and URLs."""
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _ASSIGNED.sub(rf"\1={HIDDEN}", text)
    text = _QUOTED.sub(rf"\1{HIDDEN}", text)
    text = _AUTHORIZATION.sub(rf"\1 {HIDDEN}", text)
    text = _WEB_TOKEN.sub(HIDDEN, text)
    return _HUB_TOKEN.sub(HIDDEN, text)
