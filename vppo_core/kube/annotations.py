"""What a VPPOJob object carries besides the job: who made it, and by which request."""

from collections.abc import Mapping
from typing import Any, Final

from vppo_core.spec.origin import REQUEST_ID

PREFIX: Final = "vppo.io/"
OWNER: Final = "vppo.io/owner"
"""The REST caller who made the job."""

KEY_HASH: Final = "vppo.io/key-hash"
"""Of the caller and the `Idempotency-Key` of the request that made it."""

BODY_HASH: Final = "vppo.io/body-hash"
"""Of the job as that request had it."""

NOBODY: Final = "kubectl"
"""Owner of a job that no REST caller made."""

_COPIES: Final = ("kubectl.kubernetes.io/last-applied-configuration",)


def is_reserved(name: str) -> bool:
    """Whether users may not set an annotation, as the program reads it."""
    return name.startswith(PREFIX)


def owner_of(annotations: Mapping[str, Any]) -> str:
    """Who made the job with these annotations."""
    return str(annotations.get(OWNER) or NOBODY)


def own_annotations(annotations: Mapping[str, Any]) -> dict[str, str]:
    """Those that belong to the job: without the program's, but for the request that made it, and
    without copies of the object."""
    return {
        name: str(value)
        for name, value in annotations.items()
        if (not is_reserved(name) or name == REQUEST_ID) and name not in _COPIES
    }
