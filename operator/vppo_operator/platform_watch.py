"""The platform's file, read again when it changes: a ConfigMap is replaced while we run."""

import logging
from pathlib import Path

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.platform_file import load_cluster_platform

_log = logging.getLogger(__name__)


class PlatformWatch:
    """Tells of changes; one that cannot be read leaves the old platform standing."""

    def __init__(self, path: Path, platform: PlatformSpec) -> None:
        self._path = path
        self._platform = platform
        self._stamp = _stamp(path)
        self.notes: tuple[str, ...] = ()
        """Why the file as it is now is not in use; empty while it is."""

    def changed(self) -> PlatformSpec | None:
        """The new platform, once after each change."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            platform = load_cluster_platform(self._path)
        except InvalidSpecError as error:
            _log.error("the platform stays as it was: %s", error)
            self.notes = (f"the platform file is wrong, the old one is in use: {error}",)
            return None
        self.notes = ()
        if platform == self._platform:
            return None
        _log.info("the platform has changed")
        self._platform = platform
        return platform


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return (0, 0, 0)
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino)
