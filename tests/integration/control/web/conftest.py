"""A real Chromium on the page, on top of a server that makes everything up."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FAKE: Final = Path(__file__).parent / "fake_vppo"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)
START_SECONDS: Final = 60
DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
SIZES: Final = {"desktop": DESKTOP, "phone": PHONE}


# Not for the session: as long as it lives, no other test of this process can start an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the machine."""
    wanted = os.environ.get("CHROMIUM")
    found = next((path for name in (wanted, *NAMES) if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium: none of $CHROMIUM, " + ", ".join(NAMES) + " is on the path")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of the made-up server, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, str(FAKE), "--port", str(port)])
    try:
        _wait_until_up(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: $VPPO_SCREENSHOTS, or a temporary folder."""
    folder = Path(os.environ.get("VPPO_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass
class Ui:
    """The page in a browser, and what it complained of."""

    browser: Browser
    address: str
    screenshots: Path
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of complaints that the test provokes."""

    page: Page = field(init=False)

    def reset(self, **state: str) -> None:
        """Put the server back: `jobs` five, none or many; `token`; `failing` path."""
        query = "&".join(f"{name}={value}" for name, value in state.items())
        request = urllib.request.Request(f"{self.address}/fake/reset?{query}", method="POST")
        urllib.request.urlopen(request, timeout=20).close()

    def open(self, path: str = "", *, size: str = "desktop", scheme: Any = "light") -> Page:
        """A fresh browser profile on `/ui/#<path>`."""
        width, height = SIZES[size]
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            has_touch=size == "phone",
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        self.page = context.new_page()
        self.page.on("console", self._listens)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{error}\n{error.stack}"))
        self.page.on("request", self._stays_home)
        self.page.goto(f"{self.address}/ui/#{path}")
        return self.page

    def shot(self, name: str) -> None:
        """Leave a screenshot."""
        self.page.screenshot(path=self.screenshots / f"{name}.png")

    def until(self, expression: str, seconds: float = 15.0) -> None:
        """Wait until a JavaScript expression holds. Playwright's own way to wait for one evaluates
        text inside the page, which the page's policy forbids."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"not true within {seconds} s: {expression}"
            time.sleep(0.05)

    def unexpected(self) -> list[str]:
        """Complaints that the test did not provoke."""
        return [c for c in self.complaints if not any(part in c for part in self.expected)]

    def _listens(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _stays_home(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", f"blob:{self.address}")):
            self.complaints.append(f"asked another origin: {request.url}")


@pytest.fixture
def ui(browser: Browser, server: str, screenshots: Path) -> Iterator[Ui]:
    """The page; the test fails if the console saw an error, a violation of the policy included."""
    made = Ui(browser, server, screenshots)
    made.reset()
    yield made
    for context in browser.contexts:
        context.close()
    assert made.unexpected() == []


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the made-up server ended at once"
        try:
            urllib.request.urlopen(f"{address}/healthz", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the made-up server did not answer within {START_SECONDS} s")
