"""Who calls, and what a caller may do: by a token file here, by a cluster in `cluster_door.py`."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from vppo_core.errors import InvalidSpecError

VIEWER: Final = "viewer"
EDITOR: Final = "editor"
MIN_TOKEN: Final = 16
_READS: Final = frozenset({"get", "list", "watch"})
_VERBS_OF: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {VIEWER: _READS, EDITOR: _READS | {"create", "patch", "delete"}}
)
_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$")


@dataclass(frozen=True, slots=True)
class Access:
    """Something that a caller wants to do, named as `kubectl auth can-i` names it."""

    verb: str
    """`create`, `get`, `list`, `watch`, `patch` or `delete`."""

    resource: str
    """`vppojobs`, `vppojobs/log`, `webhooks`, ..."""

    namespace: str = ""
    """Where; empty where that does not matter."""


class Authorizer(Protocol):
    """Knows what callers may do."""

    def recall(self, caller: "Caller", access: Access) -> bool | None:
        """The answer from memory, at once; None when it has to be asked for."""
        ...

    def ask(self, caller: "Caller", access: Access) -> bool:
        """The answer. It may take the time of a request to a cluster: call it in a thread.

        Raises:
            StoreUnavailableError: nobody answers.
        """
        ...

    def refusal(self, caller: "Caller", access: Access) -> str:
        """The sentence for a caller who may not: rule, value, cure."""
        ...


class GroupAuthorizer:
    """`viewer` may get, list and watch everything; `editor` may also create, patch and delete."""

    def recall(self, caller: "Caller", access: Access) -> bool:
        """Whether one of the caller's groups has the verb."""
        return any(access.verb in _VERBS_OF.get(group, frozenset()) for group in caller.groups)

    ask = recall

    def refusal(self, caller: "Caller", access: Access) -> str:
        """Names verb, resource and groups."""
        return (
            f"{caller.name} must be allowed to {access.verb} {access.resource}, got groups "
            f"{', '.join(caller.groups) or 'none'}; ask for the group 'editor'"
        )


BY_GROUP: Final = GroupAuthorizer()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    name: str
    """Owner of what the caller creates, actor of what it changes."""

    groups: tuple[str, ...] = ()
    """What the caller may do follows from these."""

    authorizer: Authorizer = field(default=BY_GROUP, compare=False, repr=False)
    """Who says what the caller may do."""

    uid: str = field(default="", compare=False)
    """As the cluster knows the caller; empty on one machine."""

    extra: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False, repr=False)
    """What else the cluster knows of the caller."""

    def may(self, access: Access) -> bool:
        """Whether the caller may do this. May take a while: call it in a thread.

        Raises:
            StoreUnavailableError: nobody answers.
        """
        known = self.authorizer.recall(self, access)
        return self.authorizer.ask(self, access) if known is None else known


LOCAL: Final = Caller("local", (EDITOR,))
"""Everybody on this machine, where there are no tokens."""


class Authenticator(Protocol):
    """Knows callers by their token."""

    async def caller_of(self, token: str) -> Caller | None:
        """The caller with this token, or None.

        Raises:
            StoreUnavailableError: nobody answers.
        """
        ...


class TokenFile:
    """Callers of a file with a line for each: `token name [group,group]`; `#` starts a comment."""

    def __init__(self, callers: Mapping[bytes, Caller]) -> None:
        """Callers by the SHA-256 of their token."""
        self._callers = tuple(callers.items())

    async def caller_of(self, token: str) -> Caller | None:
        """The caller with this token, or None. Takes as long for a wrong token as for any right
        one."""
        digest = hash_of(token)
        found = None
        for known, caller in self._callers:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def hash_of(token: str) -> bytes:
    """SHA-256 of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def read_token_file(path: Path) -> TokenFile:
    """The callers in a token file.

    Raises:
        InvalidSpecError: it cannot be read, a line is not of the form, or nobody is in it. Tokens
            are never shown.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InvalidSpecError(
            f"the token file must be readable, got '{path}' ({reason}); check the path"
        ) from None
    callers: dict[bytes, Caller] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        caller = _caller(words, f"line {number} of '{path}'")
        if callers.setdefault(hash_of(words[0]), caller) is not caller:
            raise InvalidSpecError(
                f"a token must be of one caller, got it again in line {number} of '{path}'; "
                "make another one"
            )
    if not callers:
        raise InvalidSpecError(
            f"the token file must name a caller, got none in '{path}'; "
            "write lines like: TOKEN alice editor"
        )
    return TokenFile(callers)


def _caller(words: list[str], where: str) -> Caller:
    if not 2 <= len(words) <= 3:
        raise InvalidSpecError(
            f"a line of the token file must be TOKEN NAME [GROUPS], got {len(words)} words in "
            f"{where}; write groups with commas and without blanks"
        )
    token, name = words[:2]
    if len(token) < MIN_TOKEN:
        raise InvalidSpecError(
            f"a token must have at least {MIN_TOKEN} characters, got {len(token)} in {where}; "
            "make one with `openssl rand -hex 32`"
        )
    if not _NAME.match(name):
        raise InvalidSpecError(
            f"a caller's name must be letters, digits and . _ @ -, got {name!r} in {where}; "
            "rename it"
        )
    groups = tuple(words[2].split(",")) if len(words) == 3 else (EDITOR,)
    for group in groups:
        if group not in _VERBS_OF:
            raise InvalidSpecError(
                f"a group must be '{VIEWER}' or '{EDITOR}', got {group!r} in {where}; "
                "write one of these, or nothing for an editor"
            )
    return Caller(name, groups)
