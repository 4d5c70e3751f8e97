"""Files that the page is made of: read once, compressed once, named by their content."""

import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"
_VERSION_MARK: Final = b"__VERSION__"

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """Strong entity tag, quoted."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @cached_property
    def packed(self) -> bytes:
        """The body in gzip."""
        return gzip.compress(self.body, 6, mtime=0)


@dataclass(frozen=True)
class Page:
    """The page's own files."""

    index: Asset
    version: str
    """Changes with any byte of any file; part of the address of every asset."""

    assets: dict[str, Asset]
    """By path below `static`, `/` between parts."""


def read_page(folder: Path = STATIC) -> Page:
    """The page as it lies in a folder.

    Raises:
        FileNotFoundError: there is no `index.html`.
    """
    index = (folder / INDEX).read_bytes()
    assets = {
        path.relative_to(folder).as_posix(): Asset(path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in MEDIA_TYPES and path.name != INDEX
    }
    digest = hashlib.sha256(index)
    for name, asset in assets.items():
        digest.update(name.encode() + b"\0" + asset.body)
    version = digest.hexdigest()[:12]
    page = Asset(index.replace(_VERSION_MARK, version.encode()), MEDIA_TYPES[".html"])
    return Page(page, version, assets)


def plotly_script() -> Path | None:
    """Where the installed `plotly` package keeps its JavaScript; None where there is none.

    The package is found, not imported: it takes a second and the API needs nothing of it.
    """
    spec = importlib.util.find_spec("plotly")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        script = Path(folder) / "package_data" / "plotly.min.js"
        if script.is_file():
            return script
    return None
