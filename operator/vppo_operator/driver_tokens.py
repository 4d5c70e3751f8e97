"""Whose token a driver shows: the API server's word, remembered for a minute."""

import hashlib
import threading
from collections.abc import Callable
from typing import Final

from vppo_core.kube.api import KubeApi
from vppo_core.kube.kinds import TOKEN_REVIEWS
from vppo_core.spec.cluster import token_audience

_TRUSTED_SECONDS: Final = 60.0
_REFUSED_SECONDS: Final = 5.0
_REMEMBERED: Final = 10_000


class UnauthorizedError(Exception):
    """There is no token, or the API server does not vouch for it."""


class OtherSenderError(Exception):
    """The token is good, and belongs to an account of another namespace."""


class DriverTokens:
    """Checks tokens with the audience of one job. Blocks; several threads may ask."""

    def __init__(self, api: KubeApi, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self._known: dict[bytes, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def check(self, token: str, *, namespace: str, job: str) -> None:
        """Return when the token is that of a pod of the job's namespace, made for this job.

        Raises:
            UnauthorizedError, OtherSenderError: it is not.
            KubeError: the API server does not answer, or this program may not ask it.
        """
        audience = token_audience(namespace, job)
        user = self._user(token, audience) if token else ""
        if not user:
            raise UnauthorizedError(
                f"the token must have the audience '{audience}' and be valid; mount a projected one"
            )
        if user.split(":")[:-1] != ["system", "serviceaccount", namespace]:
            raise OtherSenderError(
                f"the token must be that of a service account in '{namespace}', got '{user}'"
            )

    def _user(self, token: str, audience: str) -> str:
        """Name of the account; empty when the server does not vouch for it."""
        key = hashlib.sha256(f"{audience}\0{token}".encode()).digest()
        now = self._clock()
        with self._lock:
            until, user = self._known.get(key, (0.0, ""))
        if now < until:
            return user
        user = self._reviewed(token, audience)
        with self._lock:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = (now + (_TRUSTED_SECONDS if user else _REFUSED_SECONDS), user)
        return user

    def _reviewed(self, token: str, audience: str) -> str:
        answer = self._api.create(
            TOKEN_REVIEWS,
            {
                "apiVersion": TOKEN_REVIEWS.api_version,
                "kind": TOKEN_REVIEWS.name,
                "spec": {"token": token, "audiences": [audience]},
            },
        )
        status = answer.get("status") or {}
        # A server that ignores audiences vouches for a token of any; others name what they checked.
        is_ours = status.get("authenticated") is True and audience in (
            status.get("audiences") or []
        )
        return str((status.get("user") or {}).get("username") or "") if is_ours else ""
