"""Which webhook addresses are called, and which never."""

import ipaddress
from collections.abc import Sequence

import pytest

from vppo_services.api.targets import RefusedTargetError, check_target

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.216.34"


class FakeResolver:
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if not self.addresses:
            raise OSError("unknown host")
        return self.addresses


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.8.9.10", id="loopback-further-on"),
        pytest.param("0.0.0.0", id="unspecified"),
        pytest.param("10.1.2.3", id="private-10"),
        pytest.param("172.16.0.1", id="private-172"),
        pytest.param("192.168.1.1", id="private-192"),
        pytest.param("100.64.0.1", id="shared"),
        pytest.param("169.254.169.254", id="link-local-metadata"),
        pytest.param("192.0.2.1", id="documentation"),
        pytest.param("198.18.0.1", id="benchmarking"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("239.1.1.1", id="multicast-local"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("::1", id="v6-loopback"),
        pytest.param("::", id="v6-unspecified"),
        pytest.param("fc00::1", id="v6-private"),
        pytest.param("fd12:3456::1", id="v6-private-random"),
        pytest.param("fe80::1", id="v6-link-local"),
        pytest.param("fe80::1%eth0", id="v6-link-local-with-zone"),
        pytest.param("fec0::1", id="v6-site-local"),
        pytest.param("ff02::1", id="v6-multicast"),
        pytest.param("2001:db8::1", id="v6-documentation"),
        pytest.param("::ffff:127.0.0.1", id="v4-mapped-loopback"),
        pytest.param("::ffff:10.0.0.1", id="v4-mapped-private"),
        pytest.param("::ffff:a9fe:a9fe", id="v4-mapped-metadata-in-hex"),
        pytest.param("::127.0.0.1", id="v4-compatible"),
        pytest.param("64:ff9b::7f00:1", id="nat64-loopback"),
        pytest.param("64:ff9b::a00:1", id="nat64-private"),
        pytest.param("2002:7f00:1::1", id="6to4-loopback"),
        pytest.param("2002:c0a8:101::1", id="6to4-private"),
        pytest.param("2001:0:4136:e378:8000:63bf:3fff:fdd2", id="teredo"),
    ],
)
@pytest.mark.parametrize("others", [(), (PUBLIC,)], ids=["alone", "beside-a-public-one"])
async def test_private_address_is_refused(address: str, others: tuple[str, ...]) -> None:
    resolver = FakeResolver(*others, address)
    with pytest.raises(RefusedTargetError, match="must lead to a public address"):
        await check_target("https://hooks.example/", allow_private=False, resolver=resolver)
    target = await check_target(
        "https://hooks.example/", allow_private=True, resolver=FakeResolver(address)
    )
    assert target.address == ipaddress.ip_address(address.partition("%")[0])


@pytest.mark.parametrize(
    ("url", "address", "pinned", "host"),
    [
        pytest.param(
            "https://Hooks.Example/a?b=c#d",
            PUBLIC,
            f"https://{PUBLIC}:443/a?b=c",
            "hooks.example",
            id="name",
        ),
        pytest.param(
            "http://hooks.example:8080",
            PUBLIC,
            f"http://{PUBLIC}:8080/",
            "hooks.example:8080",
            id="port",
        ),
        pytest.param(
            "https://hooks.example/",
            "2606:2800:220:1::1",
            "https://[2606:2800:220:1::1]:443/",
            "hooks.example",
            id="v6",
        ),
        pytest.param(
            "https://[2606:2800:220:1::1]/",
            "2606:2800:220:1::1",
            "https://[2606:2800:220:1::1]:443/",
            "[2606:2800:220:1::1]",
            id="v6-in-the-address",
        ),
        pytest.param(
            "https://hooks.example/",
            "64:ff9b::5db8:d822",
            "https://[64:ff9b::5db8:d822]:443/",
            "hooks.example",
            id="nat64-of-a-public-one",
        ),
    ],
)
async def test_public_address_is_pinned(url: str, address: str, pinned: str, host: str) -> None:
    target = await check_target(url, allow_private=False, resolver=FakeResolver(address))
    assert target.pinned_url == pinned
    assert target.host_header == host


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "hooks.example/path",
        "",
        "https://",
        "https:///path",
        "https://user@hooks.example/",
        "https://user:word@hooks.example/",
        "https://@hooks.example/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://[::1/",
        "https://hooks.example\\@inside/",
        "https://hooks.example/ x",
        "https://hooks.example/\r\nX: y",
        "https://hööks.example/",
        "https://hooks.example/" + "x" * 2048,
    ],
)
@pytest.mark.parametrize("allow_private", [True, False])
async def test_what_is_no_plain_web_address_is_refused_before_any_look_up(
    url: str, allow_private: bool
) -> None:
    resolver = FakeResolver(PUBLIC)
    with pytest.raises(RefusedTargetError, match=r"^url must "):
        await check_target(url, allow_private=allow_private, resolver=resolver)
    assert resolver.asked == []


async def test_unknown_host_is_refused() -> None:
    with pytest.raises(RefusedTargetError, match="check its spelling"):
        await check_target("https://hooks.example/", allow_private=True, resolver=FakeResolver())


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]"])
async def test_other_spellings_of_this_machine_are_seen_through(host: str) -> None:
    """With the system's own look-up, which knows them."""
    with pytest.raises(RefusedTargetError, match=r"^url must "):
        await check_target(f"http://{host}/", allow_private=False)
