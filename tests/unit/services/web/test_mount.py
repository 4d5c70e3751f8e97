"""The page's files: headers, caching, compression, and what may stand in them."""

import gzip
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from vppo_services.web.assets import STATIC, plotly_script, read_page
from vppo_services.web.mount import mount

SOURCES = sorted(p for p in STATIC.rglob("*") if p.suffix in (".js", ".css", ".html"))
SCRIPTS = [path for path in SOURCES if path.suffix == ".js"]
PLAIN = {"accept-encoding": "identity"}


def named(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    mount(app)
    return TestClient(app)


def test_ui_without_a_slash_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/ui", follow_redirects=False)
    assert answer.status_code == 307
    assert client.get("/ui").url.path == "/ui/"


def test_the_page_is_asked_for_again_each_time(client: TestClient) -> None:
    first = client.get("/ui/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/ui/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


def test_every_file_that_the_page_names_is_served_and_kept_for_good(client: TestClient) -> None:
    names = re.findall(r'(?:src|href)="(assets/[^"]+)"', client.get("/ui/").text)
    assert len(names) > 5
    for name in names:
        answer = client.get(f"/ui/{name}")
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["cache-control"]


def test_a_file_of_another_version_is_not_served(client: TestClient) -> None:
    assert client.get("/ui/assets/000000000000/app.js").status_code == 404


@pytest.mark.parametrize(
    "path", ["../mount.py", "%2e%2e/mount.py", "views/../../assets.py", "no.js"]
)
def test_only_files_of_the_page_are_served(client: TestClient, path: str) -> None:
    version = read_page().version
    assert client.get(f"/ui/assets/{version}/{path}").status_code == 404


def test_the_version_changes_with_any_byte(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("__VERSION__")
    (tmp_path / "app.js").write_text("1")
    before = read_page(tmp_path)
    (tmp_path / "app.js").write_text("2")
    after = read_page(tmp_path)
    assert before.version != after.version
    assert after.index.body == after.version.encode()


@pytest.mark.parametrize("path", ["/ui/", "/ui/vendor/plotly.min.js"])
def test_answers_are_compressed_for_those_who_take_it(client: TestClient, path: str) -> None:
    packed = client.get(path, headers={"accept-encoding": "gzip"})
    plain = client.get(path, headers=PLAIN)
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content
    assert packed.headers["vary"] == "Accept-Encoding"


def test_plotly_comes_from_the_installed_package_and_is_compressed_once(client: TestClient) -> None:
    script = plotly_script()
    assert script is not None
    path = "/ui/vendor/plotly.min.js"
    first = client.get(path)
    assert first.content == script.read_bytes()
    assert first.headers["content-type"].startswith("text/javascript")
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/ui/", "/ui/assets/x/app.js", "/ui/vendor/plotly.min.js"])
def test_every_answer_forbids_other_origins_and_inline_code(client: TestClient, path: str) -> None:
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_head_request_gets_no_body(client: TestClient) -> None:
    answer = client.head("/ui/")
    assert answer.status_code == 200
    assert answer.headers["etag"]


def test_the_page_is_not_part_of_the_openapi(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["paths"] == {}


def test_bodies_survive_compression() -> None:
    for name, asset in read_page().assets.items():
        assert gzip.decompress(asset.packed) == asset.body, name


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_file_fits_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_no_text_is_read_as_html_or_code(path: Path) -> None:
    text = path.read_text()
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
    ):
        assert word not in text


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_file_names_another_origin(path: Path) -> None:
    addresses = re.findall(r"https?://[^\s\"'`)]+", path.read_text())
    assert [a for a in addresses if not a.startswith("http://www.w3.org/2000/svg")] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_every_import_names_a_file_that_exists(path: Path) -> None:
    for name in re.findall(r'from "(\.[^"]+)"', path.read_text()):
        assert (path.parent / name).resolve().is_file(), name


def test_the_page_itself_holds_no_inline_script_or_style() -> None:
    text = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", text) == []
