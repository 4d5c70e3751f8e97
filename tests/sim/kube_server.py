"""An API server in memory: everything of `KubeApi`, with faults on demand. No dependencies.

server = SimulatedServer(now=lambda: clock.now)
server.add_namespace("team")
server.create(VPPO_JOBS, {...})            # as the program under test: counted, may fail
server.store.patch(RAY_JOBS, ...)          # as the world outside: never counted, never fails
server.store.put(PODS, {..., "status"})    # an object with its status, in one go
server.fail_after(3)                       # the third call from now takes effect, then Killed
server.is_unavailable = True               # every call raises KubeUnavailableError
server.forbid("create", RAY_JOBS)          # KubeForbiddenError
server.not_served.add(RAY_JOBS)            # the CustomResourceDefinition is missing
server.calls                               # every call so far
heard = server.subscribe()                 # list of Change(type, kind, object); drain yourself
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from tests.sim.objects import ObjectStore, utc_now
from tests.sim.storage import Changes
from vppo_core.kube.api import KubeObject
from vppo_core.kube.errors import (
    KubeError,
    KubeForbiddenError,
    KubeNotFoundError,
    KubeUnavailableError,
)
from vppo_core.kube.kinds import ACCESS_REVIEWS, NAMESPACES, PODS, TOKEN_REVIEWS, Kind

Answer = TypeVar("Answer")


class Killed(BaseException):
    """The program under test died right after a call took effect; no `except Exception` sees it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the program under test."""

    verb: str
    """`get`, `list`, `create`, `patch`, `delete` or `log`."""

    kind: Kind
    namespace: str
    name: str
    subresource: str = ""
    body: str = ""
    """What was written, as JSON."""

    @property
    def is_write(self) -> bool:
        """Whether the call may change something."""
        return self.verb in ("create", "patch", "delete")


@dataclass(slots=True)
class Account:
    """Whom a bearer token belongs to."""

    username: str
    """`system:serviceaccount:<namespace>:<name>`, or a person's name."""

    audiences: tuple[str, ...] = ()
    """Empty: the audience of the API server itself."""

    groups: tuple[str, ...] = ("system:authenticated",)
    uid: str = "uid"


@dataclass(slots=True)
class Planned:
    """A failure that waits for its call."""

    error: KubeError
    verb: str = ""
    kind: Kind | None = None
    takes_effect: bool = False


@dataclass(slots=True)
class Reviews:
    """What the server answers to TokenReview and SubjectAccessReview."""

    accounts: dict[str, Account] = field(default_factory=dict)
    """By token."""

    grants: set[tuple[str, str, str, str]] = field(default_factory=set)
    """(username, verb, resource, namespace); `*` stands for any."""

    def token(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """`status` of a TokenReview: without `authenticated` for a token of another audience."""
        account = self.accounts.get(spec.get("token", ""))
        wanted = list(spec.get("audiences") or [])
        if account is None:
            return {"user": {}, "error": "[invalid bearer token]"}
        shared = [one for one in wanted if one in account.audiences]
        if (wanted and not shared) or (not wanted and account.audiences):
            return {"user": {}, "error": "[invalid bearer token, token audiences are invalid]"}
        user = {"username": account.username, "uid": account.uid, "groups": list(account.groups)}
        return {"authenticated": True, "user": user, "audiences": shared}

    def access(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """`status` of a SubjectAccessReview."""
        asked = spec.get("resourceAttributes") or {}
        resource = asked.get("resource", "")
        if asked.get("subresource"):
            resource += "/" + asked["subresource"]
        place = (spec.get("user", ""), asked.get("verb", ""), resource, asked.get("namespace", ""))
        allowed = any(
            all(has in ("*", want) for has, want in zip(grant, place, strict=True))
            for grant in self.grants
        )
        return {"allowed": allowed} if allowed else {"allowed": False, "reason": ""}


class SimulatedServer:
    """Implements `KubeApi`; every call is counted and may be made to fail.

    Args:
        now: clock of creation and deletion times; the real one if left out.
        namespaces: those that exist from the start.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = utc_now,
        namespaces: Sequence[str] = ("default",),
    ) -> None:
        self.store = ObjectStore(now)
        """The same objects without counting and faults: for whatever else acts in a test."""

        self.calls: list[Call] = []
        self.is_unavailable = False
        self.reviews = Reviews()
        self.logs: dict[tuple[str, str, str], str] = {}
        """Text by (namespace, pod, container); container "" is the default one."""

        self.not_served: set[Kind] = set()
        """Kinds whose CustomResourceDefinition is missing; the store has them all the same."""

        self._forbidden: set[tuple[str, Kind, str]] = set()
        self._planned: list[Planned] = []
        self._left: int | None = None
        self._lives = 0
        self._counts_reads = True
        self._dies_again = False
        for name in namespaces:
            self.add_namespace(name)

    def add_namespace(self, name: str) -> None:
        """Make a namespace."""
        self.store.put(NAMESPACES, {"metadata": {"name": name}})

    def subscribe(self) -> Changes:
        """A list that every later change is appended to; who reads it empties it."""
        return self.store.subscribe()

    def fail_after(self, calls: int, *, changes_only: bool = False, again: bool = False) -> None:
        """Let the next `calls` calls take effect, and raise `Killed` out of the last one.

        Args:
            changes_only: calls that change nothing do not count.
            again: the next program dies in the same way, and so on.
        """
        self._left = self._lives = calls
        self._counts_reads = not changes_only
        self._dies_again = again

    def never_fail(self) -> None:
        """Forget `fail_after` and planned failures."""
        self._left = None
        self._planned.clear()

    def fail_next(
        self,
        error: KubeError,
        *,
        verb: str = "",
        kind: Kind | None = None,
        takes_effect: bool = False,
    ) -> None:
        """Raise an error out of the next call that fits; it may take effect all the same."""
        self._planned.append(Planned(error, verb, kind, takes_effect))

    def forbid(self, verb: str, kind: Kind, namespace: str = "") -> None:
        """Refuse a verb (`*`: all) on a kind, in one namespace or everywhere."""
        self._forbidden.add((verb, kind, namespace))

    def allow(self, verb: str, kind: Kind, namespace: str = "") -> None:
        """Take back a `forbid`."""
        self._forbidden.discard((verb, kind, namespace))

    def writes(self) -> list[Call]:
        """The calls so far that may have changed something."""
        return [call for call in self.calls if call.is_write]

    # KubeApi

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        """The object; None when there is none."""
        call = Call("get", kind, namespace, name)
        try:
            return self._done(call, lambda: self.store.get(kind, namespace, name))
        except KubeNotFoundError:
            return None

    def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str | None] | None = None
    ) -> Sequence[KubeObject]:
        """All objects by namespace and name."""
        call = Call("list", kind, namespace, "")
        return self._done(call, lambda: self.store.list(kind, namespace, labels=labels))

    def create(self, kind: Kind, body: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Make an object, or answer a review."""
        head = body.get("metadata", {})
        place = (head.get("namespace", ""), head.get("name", ""))
        call = Call("create", kind, *place, body=json.dumps(body))
        if kind == TOKEN_REVIEWS:
            return self._done(call, lambda: body | {"status": self.reviews.token(body["spec"])})
        if kind == ACCESS_REVIEWS:
            return self._done(call, lambda: body | {"status": self.reviews.access(body["spec"])})
        return self._done(call, lambda: self.store.create(kind, body, dry_run=dry_run))

    def patch(
        self, kind: Kind, namespace: str, name: str, body: KubeObject, *, subresource: str = ""
    ) -> KubeObject:
        """Merge a change into an object."""
        call = Call("patch", kind, namespace, name, subresource, json.dumps(body))
        return self._done(
            call, lambda: self.store.patch(kind, namespace, name, body, subresource=subresource)
        )

    def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", in_background: bool = True
    ) -> bool:
        """Ask for deletion; False when there is nothing to delete."""
        call = Call("delete", kind, namespace, name)
        try:
            return self._done(
                call,
                lambda: self.store.delete(
                    kind, namespace, name, uid=uid, in_background=in_background
                ),
            )
        except KubeNotFoundError:
            return False

    def pod_log(self, namespace: str, pod: str, *, container: str = "", tail: int = 1000) -> str:
        """The last lines of what `logs` has of the container."""

        def read() -> str:
            text = self.logs.get((namespace, pod, container), "")
            return "".join(text.splitlines(keepends=True)[-tail:])

        return self._done(Call("log", PODS, namespace, pod), read)

    def _done(self, call: Call, act: Callable[[], Answer]) -> Answer:
        with self.store.lock:
            self.calls.append(call)
            if self.is_unavailable:
                raise KubeUnavailableError("the API server must answer, got no connection")
            if self._is_forbidden(call):
                raise KubeForbiddenError(f"cannot {call.verb} resource {call.kind.plural}")
            if call.kind in self.not_served:
                raise KubeNotFoundError("the server could not find the requested resource")
            planned = next((one for one in self._planned if _fits(one, call)), None)
            if planned is not None:
                self._planned.remove(planned)
                if planned.takes_effect:
                    act()
                raise planned.error
            before = self.store.version
            try:
                return act()
            finally:
                if self._counts_reads or self.store.version != before:
                    self._count_down()

    def _count_down(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._left = self._lives if self._dies_again else None
                raise Killed

    def _is_forbidden(self, call: Call) -> bool:
        return any(
            verb in ("*", call.verb) and kind == call.kind and place in ("", call.namespace)
            for verb, kind, place in self._forbidden
        )


def _fits(planned: Planned, call: Call) -> bool:
    return planned.verb in ("", call.verb) and planned.kind in (None, call.kind)
