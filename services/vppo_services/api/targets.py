"""Where webhooks may point: public addresses only, unless the platform allows private ones.

A name is resolved once and the connection goes to that very address, so that a second answer of
the name server cannot lead it elsewhere.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import anyio

from vppo_core.errors import VPPOError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host and port; raises OSError when there is none."""

MAX_URL: Final = 2048
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "https": 443}


class RefusedTargetError(VPPOError):
    """A webhook address that must not be called."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked place to send to."""

    scheme: str
    host: str
    port: int
    path: str
    """With its query."""

    address: Address
    """What to connect to."""

    @property
    def pinned_url(self) -> str:
        """The URL with the address in place of the name."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """What the receiver expects as `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


async def resolve(host: str, port: int) -> Sequence[str]:
    """Addresses that the system knows for a host."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def check_target(url: str, *, allow_private: bool, resolver: Resolver = resolve) -> Target:
    """The target of a URL, its address checked.

    Raises:
        RefusedTargetError: not http or https, credentials inside, an unknown host, or any of its
            addresses is private.
    """
    scheme, host, port, path = _parse(url)
    try:
        found = await resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise RefusedTargetError(
            f"url must name a host that can be found, got {host!r}; check its spelling"
        ) from error
    # A zone (`fe80::1%eth0`) says which interface; it does not make the address another one.
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in found]
    if not addresses:
        raise RefusedTargetError(f"url must name a host with an address, got {host!r}; change it")
    for address in addresses:
        if not allow_private and not is_public(address):
            raise RefusedTargetError(
                f"url must lead to a public address, got {host} at {address}; use a public one, or "
                "have the operator of this server allow private webhooks"
            )
    return Target(scheme, host, port, path, addresses[0])


def is_public(address: Address) -> bool:
    """Whether an address is on the public Internet, whatever form it is written in."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or address.teredo is not None:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not address.is_loopback
        and not address.is_link_local
    )


def _parse(url: str) -> tuple[str, str, int, str]:
    if len(url) > MAX_URL or not url.isprintable() or not url.isascii() or " " in url:
        raise RefusedTargetError(
            f"url must be at most {MAX_URL} printable ASCII characters without spaces; encode it"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedTargetError(f"url must be a URL, got {url[:64]!r}; correct it") from error
    if parts.scheme not in _PORTS:
        raise RefusedTargetError(
            f"url must start with http:// or https://, got {url[:64]!r}; correct it"
        )
    if "@" in parts.netloc or "\\" in url:
        raise RefusedTargetError(
            "url must hold no user name, password or backslash; check signatures instead"
        )
    if not host:
        raise RefusedTargetError(f"url must name a host, got {url[:64]!r}; add one")
    if port == 0:
        raise RefusedTargetError("url must have a port from 1 to 65535, got 0; change it")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or _PORTS[parts.scheme], path
