"""The page on the real API with a real store and loop; only the driver trains nothing."""

import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from vppo_core.archive.database import open_database
from vppo_core.archive.records import JobQuery
from vppo_core.spec.platform import PlatformSpec
from vppo_services.api.app import create_app
from vppo_services.api.settings import ApiSettings
from vppo_services.local.launcher import Launcher
from vppo_services.local.loop import Loop
from vppo_services.local.store import SqlJobStore

DRIVER = (sys.executable, str(Path(__file__).with_name("page_driver.py")))
TOKEN = "0123456789abcdef0123"
DEADLINE_SECONDS = 30.0
JOB = """apiVersion: vppo.io/v1alpha1
kind: VPPOJob
metadata: {name: NAME}
spec:
  model: {source: "demo://qwen2.5-vl"}
  data: {source: "demo://colours"}
"""


@pytest.fixture
def control_plane(tmp_path: Path) -> Iterator[str]:
    """Address of the control plane; callers need a token."""
    (tmp_path / "tokens").write_text(f"{TOKEN} alice\n")
    platform, jobs = PlatformSpec(), tmp_path / "jobs"
    db = open_database(f"sqlite:///{tmp_path / 'vppo.db'}")
    clock = lambda: datetime.now(UTC)  # noqa: E731
    launcher = Launcher(jobs, command=DRIVER)
    loop = Loop(db, launcher, platform=platform, clock=clock, state=tmp_path)
    store = SqlJobStore(
        db, jobs_folder=jobs, platform=platform, clock=clock, wake=loop.wake, command=DRIVER
    )
    stop = threading.Event()
    looping = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(store, ApiSettings(token_file=tmp_path / "tokens"))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    serving = threading.Thread(target=server.run, args=([listener],), daemon=True)
    looping.start()
    serving.start()
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not server.started:
            assert time.monotonic() < deadline, "the API did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        _cancel_all(store)
        server.should_exit = True
        serving.join(DEADLINE_SECONDS)
        stop.set()
        loop.wake()
        looping.join(DEADLINE_SECONDS)
        db.close()


def _cancel_all(store: SqlJobStore) -> None:
    for record in store.list_jobs(JobQuery()).items:
        store.delete(record.name, actor="test")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(not record.phase.is_final for record in store.list_jobs(JobQuery()).items):
        assert time.monotonic() < deadline, "a driver did not end"
        time.sleep(0.1)


def submit(page: Page, name: str) -> None:
    page.get_by_role("banner").get_by_role("button", name="New job").click()
    dialog = page.get_by_role("dialog", name="New job")
    dialog.get_by_label("Job file").fill(JOB.replace("NAME", name))
    dialog.get_by_role("button", name="Check").click()
    expect(dialog.get_by_role("status", name="Plan")).to_contain_text("default (pool local)")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_a_job_from_its_file_to_its_answers(control_plane: str, ui: Any) -> None:
    ui.expected = ("401",)
    ui.address = control_plane
    page = ui.open()
    page.get_by_role("dialog").get_by_role("textbox").fill(TOKEN)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    submit(page, "painter")
    phase, tabs = page.locator(".job-phase"), page.locator(".tabs")
    expect(phase).to_have_text("Running", timeout=30_000)
    expect(page.locator(".step")).to_have_text(re.compile(r"Step \d\d+ of 400"), timeout=30_000)
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    expect(page.locator(".job-facts")).to_contain_text("alice")
    expect(page.locator(".timeline")).to_contain_text("Created")
    ui.shot("real-overview-desktop-light")
    tabs.get_by_role("link", name="Spotlight").click()
    expect(page.locator(".answer .token")).to_have_count(4)
    expect(page.locator(".answer .token").nth(2)).to_have_class(re.compile("is-kept shade-7"))
    tabs.get_by_role("link", name="Logs").click()
    expect(page.locator(".log-row").first).to_contain_text("step 1 <b>done</b>")
    page.get_by_role("button", name="Pause").click()
    expect(phase).to_have_text("Paused", timeout=30_000)
    tabs.get_by_role("link", name="Checkpoints").click()
    page.get_by_role("button", name=re.compile("^Keep the checkpoint of step 10 ")).click()
    expect(page.locator("tbody tr", has_text="Kept")).to_have_count(1)
    tabs.get_by_role("link", name="Attempts").click()
    expect(page.locator(".attempt")).to_contain_text("Stopped")
    tabs.get_by_role("link", name="Files").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="metrics.jsonl").click()
    assert '"reward_mean"' in download.value.path().read_text()
    page.get_by_role("button", name="Resume").click()
    expect(phase).to_have_text("Running", timeout=30_000)
    tabs.get_by_role("link", name="Attempts").click()
    expect(page.locator(".attempt")).to_have_count(2)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(phase).to_have_text("Cancelled", timeout=30_000)
    expect(page.locator(".live")).to_have_text("Finished", timeout=30_000)


def test_a_second_job_waits_and_says_why(control_plane: str, ui: Any) -> None:
    ui.expected = ("401", "422")
    ui.address = control_plane
    page = ui.open()
    page.get_by_role("dialog").get_by_role("textbox").fill(TOKEN)
    page.get_by_role("button", name="Continue").click()
    submit(page, "painter")
    expect(page.locator(".job-phase")).to_have_text("Running", timeout=30_000)
    submit(page, "second")
    expect(page.locator(".job-phase")).to_have_text("Queued", timeout=30_000)
    expect(page.locator(".why-sentence")).to_contain_text("local")
    ui.shot("real-queued-desktop-light")
    page.keyboard.press("u")
    expect(page.locator(".list-body .job-row")).to_have_count(2)
    page.select_option("#phase", "Queued")
    expect(page.locator(".list-body .job-row")).to_have_count(1)
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog", name="New job")
    dialog.get_by_label("Job file").fill(
        JOB.replace("NAME", "third") + "  rollout: {groupSize: 1}\n"
    )
    dialog.get_by_role("button", name="Check").click()
    expect(dialog.locator(".problems code")).to_have_text("rollout.groupSize")
