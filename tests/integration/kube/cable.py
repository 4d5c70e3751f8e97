"""A connection between two programs that can be cut, and mended."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Cable:
    """Passes bytes on to a port of this machine; what it carries stays encrypted."""

    def __init__(self, listener: socket.socket, port: int) -> None:
        self.url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        self._listener = listener
        self._port = port
        self._is_cut = False
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []

    def cut(self) -> None:
        """End all connections, and let nobody begin one."""
        with self._lock:
            self._is_cut = True
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._ends.clear()

    def mend(self) -> None:
        """Let connections begin again."""
        with self._lock:
            self._is_cut = False

    def carry(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


@contextlib.contextmanager
def cable_to(port: int) -> Iterator[Cable]:
    """A cable that is whole, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        cable = Cable(listener, port)
        threading.Thread(target=cable.carry, daemon=True).start()
        yield cable
        listener.shutdown(socket.SHUT_RDWR)
        cable.cut()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
