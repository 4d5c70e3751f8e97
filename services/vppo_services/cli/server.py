"""Which server, and who asks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vppo_core.errors import InvalidSpecError
from vppo_services.cli.port_forward import KUBE, forwarded_address, kubeconfig_token

SERVER_VARIABLE: Final = "VPPO_SERVER"
TOKEN_VARIABLE: Final = "VPPO_TOKEN"
NAMESPACE_VARIABLE: Final = "VPPO_NAMESPACE"
DEFAULT_SERVER: Final = "http://127.0.0.1:8080"
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
MAX_TOKEN_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Server:
    """Address of an API and the token for it."""

    address: str = DEFAULT_SERVER
    """Without a slash at its end; it may have a path, behind a proxy."""

    token: str = field(default="", repr=False)
    """Sent as a bearer token; empty sends none."""

    namespace: str = ""
    """Namespace of a cluster that is spoken of; empty means the server's own one."""

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: then no proxy of the environment is asked."""
        return urlsplit(self.address).hostname in LOOPBACK_HOSTS


def server_of(
    address: str = "",
    token_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    namespace: str = "",
) -> Server:
    """The server that the arguments name, or else the environment, or else this machine.

    For `kube://NAMESPACE/SERVICE` a port is forwarded to the service as long as this program runs,
    and without another token that of the kubeconfig is sent.

    Raises:
        InvalidSpecError: the address is none of HTTP, the token cannot be read or sent, or no port
            can be forwarded.
    """
    written = address or environment.get(SERVER_VARIABLE, "") or DEFAULT_SERVER
    token = _read_token(token_file) if token_file else environment.get(TOKEN_VARIABLE, "").strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidSpecError(
            "a token must be printable ASCII without blanks, got other characters in "
            f"'{token_file or TOKEN_VARIABLE}'; write it again"
        )
    place = namespace or environment.get(NAMESPACE_VARIABLE, "")
    if written.startswith(f"{KUBE}:"):
        written = forwarded_address(written)
        token = token or kubeconfig_token()
    return Server(_checked(written), token, place)


def _checked(written: str) -> str:
    whole = written if "://" in written else f"http://{written}"
    try:
        parts = urlsplit(whole)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        fits = False
    else:
        fits = fits and not (parts.query or parts.fragment or parts.username)
    if not fits:
        raise InvalidSpecError(
            f"--server must be an address such as {DEFAULT_SERVER}, got '{written}'; correct it, "
            f"or {SERVER_VARIABLE}"
        )
    return whole.rstrip("/")


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_TOKEN_BYTES + 1)
    except OSError as error:
        raise InvalidSpecError(
            f"--token-file must be a readable file, got '{path}' ({error.strerror}); check the path"
        ) from None
    lines = raw.decode("utf-8", "replace").splitlines()
    words = [word for line in lines for word in line.partition("#")[0].split()]
    if not words or len(raw) > MAX_TOKEN_BYTES:
        raise InvalidSpecError(
            f"--token-file must start with a token and have at most {MAX_TOKEN_BYTES} bytes, "
            f"got none, or more, in '{path}'; is it the right file?"
        )
    # The first word, so that a server's own file of `TOKEN NAME [GROUPS]` lines does as well.
    return words[0]
