"""The jobs table: filters, keys, live state, 10,000 jobs, and what it shows without any."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

ROWS = ".list-body .job-row"
RUNNING = "qwen7b-geometry-vppo"


def row(page: Page, name: str) -> Any:
    return page.locator(ROWS, has_text=name)


def test_the_table_shows_phase_progress_and_place(ui: Any) -> None:
    page = ui.open()
    expect(page.locator(ROWS)).to_have_count(5)
    running = row(page, RUNNING)
    expect(running.locator(".badge")).to_have_text("Running")
    expect(running.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "62")
    expect(running).to_contain_text("124/200")
    expect(running).to_contain_text("16 min left")
    expect(row(page, "qwen32b")).to_contain_text("position 2 in gpu")
    expect(row(page, "grpo")).to_contain_text("OutOfMemory")
    expect(page.locator(".live")).to_have_text("Live")
    ui.shot("jobs-desktop-light")


def test_a_phase_has_a_sign_and_a_word_not_a_colour_alone(ui: Any) -> None:
    page = ui.open()
    expect(page.locator(ROWS)).to_have_count(5)
    for badge in page.locator(f"{ROWS} .badge").all():
        assert badge.inner_text().strip()
        assert badge.locator("svg path").get_attribute("d")
    signs = [b.locator("path").get_attribute("d") for b in page.locator(f"{ROWS} .badge").all()]
    assert len(set(signs)) == 5


@pytest.mark.parametrize(
    ("name", "phase", "queue", "left"),
    [
        pytest.param("qwen", "", "", 2, id="name"),
        pytest.param("", "Failed", "", 1, id="phase"),
        pytest.param("", "active", "", 3, id="group-of-phases"),
        pytest.param("", "", "default", 1, id="queue"),
        pytest.param("qwen", "Queued", "gpu", 1, id="all"),
    ],
)
def test_filters_narrow_the_table_and_stand_in_the_address(
    ui: Any, name: str, phase: str, queue: str, left: int
) -> None:
    page = ui.open()
    expect(page.locator("#queue option")).to_have_count(3)
    page.fill("#search", name)
    page.select_option("#phase", phase)
    page.select_option("#queue", queue)
    expect(page.locator(ROWS)).to_have_count(left)
    page.reload()
    expect(page.locator(ROWS)).to_have_count(left)
    expect(page.locator("#search")).to_have_value(name)


def test_no_match_offers_the_way_back(ui: Any) -> None:
    page = ui.open("/jobs?name=nothing-like-it")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.get_by_role("link", name="Show all jobs").click()
    expect(page.locator(ROWS)).to_have_count(5)


def test_keys_search_walk_and_open(ui: Any) -> None:
    page = ui.open()
    expect(page.locator(ROWS)).to_have_count(5)
    page.keyboard.press("/")
    page.keyboard.type("qwen")
    expect(page.locator(ROWS)).to_have_count(2)
    page.keyboard.press("Enter")
    expect(row(page, RUNNING)).to_be_focused()
    page.keyboard.press("j")
    expect(row(page, "qwen32b")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("k")
    expect(row(page, RUNNING)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=RUNNING)).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(ROWS)).to_have_count(5)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    ui.shot("keys-desktop-light")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_change_on_the_server_shows_without_a_reload(ui: Any) -> None:
    page = ui.open()
    expect(row(page, RUNNING).locator(".badge")).to_have_text("Running")
    page.request.post(f"{ui.address}/v1/jobs/{RUNNING}:pause")
    expect(row(page, RUNNING).locator(".badge")).to_have_text("Paused")


def test_ten_thousand_jobs_stay_a_short_page(ui: Any) -> None:
    ui.reset(jobs="many")
    page = ui.open()
    expect(page.locator(".count")).to_contain_text("there are more")
    page.locator(ROWS).first.focus()
    for _ in range(60):
        page.keyboard.press("End")
        page.wait_for_timeout(15)
    loaded = "Number(document.querySelector('.count').textContent.replace(/\\D/g, ''))"
    ui.until(f"{loaded} >= 1000")
    while page.locator(".jobs-foot button").is_visible():
        before = page.evaluate(loaded)
        page.evaluate("document.querySelector('.list-scroller').scrollTop = 1e9")
        ui.until(f"{loaded} > {before} || document.querySelector('.jobs-foot button').hidden")
        assert page.locator(ROWS).count() <= 200
    assert page.evaluate(loaded) == 10_005
    worst = page.evaluate(
        """async () => {
          const scroller = document.querySelector('.list-scroller');
          let worst = 0;
          for (let index = 0; index < 40; index += 1) {
            scroller.scrollTop = Math.random() * scroller.scrollHeight;
            const start = performance.now();
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            worst = Math.max(worst, performance.now() - start);
          }
          return worst;
        }"""
    )
    # A frame that a person notices takes 100 ms; a busy machine gets some room.
    assert worst < 400
    assert page.locator(ROWS).count() <= 200
    ui.shot("jobs-10000-desktop-light")
    page.fill("#search", "sweep-09876")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(".count")).to_have_text("1 job")


def test_without_jobs_the_page_says_how_to_begin(ui: Any) -> None:
    ui.reset(jobs="none")
    page = ui.open()
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    ui.shot("jobs-none-desktop-light")


def test_an_error_says_what_to_do_and_can_be_tried_again(ui: Any) -> None:
    ui.expected = ("503",)
    ui.reset(failing="/jobs")
    page = ui.open()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The archive is locked.")
    ui.shot("jobs-error-desktop-light")
    ui.reset()
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator(ROWS)).to_have_count(5)


def test_a_server_that_goes_away_is_told_and_found_again(ui: Any) -> None:
    ui.expected = ("503",)
    page = ui.open()
    expect(page.locator(".live")).to_have_text("Live")
    ui.reset(failing="/jobs")
    expect(page.locator(".live")).to_have_text("Reconnecting")
    expect(page.locator(ROWS)).to_have_count(5)
    ui.reset()
    expect(page.locator(".live")).to_have_text("Live", timeout=20_000)


def test_a_server_with_tokens_asks_for_one_and_keeps_it_for_the_tab(ui: Any) -> None:
    ui.expected = ("401",)
    ui.reset(token="open-sesame")
    page = ui.open()
    dialog = page.get_by_role("dialog", name="A token is needed")
    expect(dialog).to_be_visible()
    ui.shot("token-desktop-light")
    dialog.get_by_role("textbox").fill("wrong")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog.get_by_role("textbox")).to_have_value("")
    dialog.get_by_role("textbox").fill("open-sesame")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(ROWS)).to_have_count(5)
    page.reload()
    expect(page.locator(ROWS)).to_have_count(5)
    assert page.evaluate("localStorage.length") == 0
