"""Puts the page under `/ui` of an application."""

from functools import cache
from typing import Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vppo_services.web.assets import MEDIA_TYPES, Asset, Page, plotly_script, read_page

CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline script or style, no other origin; pictures may come out of JSON answers."""

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
_REVALIDATE: Final = "no-cache"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_FOR_A_DAY: Final = "public, max-age=86400"


def mount(app: FastAPI) -> None:
    """Serve the page at `/ui/`, its files at `/ui/assets/<version>/`, plotly's own script at
    `/ui/vendor/plotly.min.js`. All without a token: they hold nothing of anybody.
    """
    page = read_page()

    async def index(request: Request) -> Response:
        return answer(request, page.index, _REVALIDATE)

    async def asset(request: Request) -> Response:
        return _asset(request, page)

    for path, endpoint in (
        ("/ui", _to_index),
        ("/ui/", index),
        ("/ui/assets/{version}/{path:path}", asset),
        ("/ui/vendor/plotly.min.js", _plotly),
    ):
        app.router.add_route(path, endpoint, methods=["GET"], include_in_schema=False)


def answer(request: Request, asset: Asset, cache_control: str) -> Response:
    """The asset, or 304 where the caller has it; in gzip where the caller takes that."""
    headers = {**_HEADERS, "ETag": asset.etag, "Cache-Control": cache_control}
    known = request.headers.get("if-none-match", "")
    if asset.etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
        return Response(status_code=304, headers=headers)
    body = asset.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = asset.packed
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=asset.media_type)


async def _to_index(_request: Request) -> Response:
    # Relative, so that it holds behind a proxy that adds a prefix.
    return RedirectResponse("ui/", status_code=307)


def _asset(request: Request, page: Page) -> Response:
    asset = page.assets.get(request.path_params["path"])
    # Files of another version would not fit those that the browser already has.
    if asset is None or request.path_params["version"] != page.version:
        return _missing("the page has no such file; reload it")
    return answer(request, asset, _FOR_GOOD)


async def _plotly(request: Request) -> Response:
    script = await run_in_threadpool(_packed_plotly)
    if script is None:
        return _missing("charts need the Python package plotly on the server; install it")
    return answer(request, script, _FOR_A_DAY)


@cache
def _packed_plotly() -> Asset | None:
    path = plotly_script()
    if path is None:
        return None
    script = Asset(path.read_bytes(), MEDIA_TYPES[".js"])
    # Compressed here, off the event loop: it is 5 MB, and every page with charts asks for it.
    _ = script.packed, script.etag
    return script


def _missing(text: str) -> Response:
    return Response(text, status_code=404, headers=_HEADERS, media_type="text/plain")
