"""aiohttp applications on ports, in the loop that everything else runs in."""

import ssl
from pathlib import Path
from typing import Final

from aiohttp import web

SHUTDOWN_SECONDS: Final = 5.0


class Certificate:
    """A server's certificate that is read again when its files change: it is renewed on disk."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Read it.

        Raises:
            OSError, ssl.SSLError: it cannot be read, or the two do not belong together.
        """
        self._cert = cert
        self._key = key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._read: tuple[int, int] = (0, 0)
        self.renew()

    def renew(self) -> bool:
        """Read it again if it changed; whether it had.

        Raises:
            OSError, ssl.SSLError: the old one stands.
        """
        stamp = (self._cert.stat().st_mtime_ns, self._key.stat().st_mtime_ns)
        if stamp == self._read:
            return False
        self.context.load_cert_chain(self._cert, self._key)
        self._read = stamp
        return True


async def serve(
    app: web.Application, host: str, port: int, *, tls: ssl.SSLContext | None = None
) -> tuple[web.AppRunner, int]:
    """Serve an application until its runner is cleaned up; the runner, and the port.

    Raises:
        OSError: the port is taken.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    try:
        await site.start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])
