"""Whom a bearer token belongs to: the cluster says so (TokenReview)."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vppo_core.kube.api import KubeApi
from vppo_core.kube.kinds import TOKEN_REVIEWS
from vppo_services.cluster.answers import answered
from vppo_services.cluster.memory import Memory

KNOWN_SECONDS: Final = 60.0
"""How long a token counts without another question; one that is revoked works as long."""

UNKNOWN_SECONDS: Final = 10.0
"""How long a token that nobody has is refused without another question."""

MAX_TOKEN: Final = 16_384
"""Characters of a token; a longer one is none."""


@dataclass(frozen=True, slots=True)
class User:
    """A caller as the cluster knows it."""

    name: str
    """`system:serviceaccount:<namespace>:<name>`, or a person's name."""

    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class TokenReviews:
    """Knows users by their tokens. Tokens are not kept, only their hashes."""

    def __init__(self, kube: KubeApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._users: Memory[bytes, User | None] = Memory(clock)

    def recall(self, token: str) -> tuple[bool, User | None]:
        """Whether the answer is known, and the answer: None is nobody."""
        if not token or len(token) > MAX_TOKEN:
            return True, None
        return self._users.find(_hash(token))

    def user_of(self, token: str) -> User | None:
        """The user with this token, or None. Takes the time of a request if it is not known.

        Raises:
            StoreUnavailableError: the cluster does not answer.
        """
        is_known, user = self.recall(token)
        if is_known:
            return user
        with answered():
            review = self._kube.create(
                TOKEN_REVIEWS,
                {
                    "apiVersion": TOKEN_REVIEWS.api_version,
                    "kind": TOKEN_REVIEWS.name,
                    "spec": {"token": token},
                },
            )
        user = user_in(review.get("status") or {})
        self._users.keep(_hash(token), user, UNKNOWN_SECONDS if user is None else KNOWN_SECONDS)
        return user


def user_in(status: Mapping[str, Any]) -> User | None:
    """The user that a review names. Of a token that is none, or is meant for another audience, the
    server says nothing at all, so only the word `true` counts. Pure."""
    user = status.get("user") or {}
    name = user.get("username")
    if status.get("authenticated") is not True or not isinstance(name, str) or not name:
        return None
    return User(
        name=name,
        uid=str(user.get("uid") or ""),
        groups=tuple(user.get("groups") or ()),
        extra={key: tuple(values) for key, values in (user.get("extra") or {}).items()},
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
