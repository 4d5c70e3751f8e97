"""Names that a job, an attempt and a repeated request get: short, legal, and the same each time."""

import base64
import hashlib
import json
import re
from typing import Final

MAX_NAME: Final = 40
MAX_SLUG: Final = 31
MAX_INDEX: Final = 9999
KEY_CHARACTERS: Final = 8
UID_CHARACTERS: Final = 5


def slug(text: str) -> str:
    """The text as a DNS-1035 label of at most 31 characters; `job` where nothing is left of it."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain[:1].isdigit():
        plain = f"job-{plain}"
    return plain[:MAX_SLUG].rstrip("-") or "job"


def idempotent_name(slug_source: str, tenant: str, key: str) -> str:
    """The one name of all requests of a tenant with this key, so that only one can create it."""
    return f"{slug(slug_source)}-{_characters(json.dumps([tenant, key]), KEY_CHARACTERS)}"


def generated_name(source: str, uid: str) -> str:
    """A name for a job that has none, such as `demo-vppo-7f3k2`."""
    return f"{slug(source)}-{_characters(uid, UID_CHARACTERS)}"


def attempt_name(job: str, index: int) -> str:
    """The name of an attempt, `<job>-a<index>`: at most 46 characters, KubeRay takes 47."""
    assert 1 <= len(job) <= MAX_NAME, f"a job's name has 1 to {MAX_NAME} characters, got {job!r}"
    assert 1 <= index <= MAX_INDEX, f"an attempt's index is 1 to {MAX_INDEX}, got {index}"
    return f"{job}-a{index}"


def _characters(text: str, count: int) -> str:
    """The first base32 characters of a hash, lower case: a label may hold them anywhere."""
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest).decode().lower()[:count]
