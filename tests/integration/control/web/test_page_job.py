"""One job: head, verbs, charts, logs, attempts, checkpoints, files, spec."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

RUNNING = "qwen7b-geometry-vppo"
FAILED = "grpo-large-batch"
LEGEND = "document.querySelectorAll('.js-plotly-plot .legendtext').length"


def tab(page: Page, name: str) -> None:
    page.locator(".tabs").get_by_role("link", name=name).click()


def test_a_click_leads_from_the_table_to_a_job_with_its_curves(ui: Any) -> None:
    page = ui.open()
    page.locator(".list-body .job-row", has_text=RUNNING).click()
    expect(page.get_by_role("heading", level=1, name=RUNNING)).to_be_visible()
    expect(page.locator(".why")).to_be_hidden()
    expect(page.locator(".job-progress")).to_contain_text("of 200")
    expect(page.locator(".job-progress")).to_contain_text("16 min left")
    expect(page.locator(".job-facts")).to_contain_text("1.2 h (4.5 %)")
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    ui.until(f"{LEGEND} >= 13")
    expect(page.locator(".timeline")).to_contain_text("attempt 2 goes on from step 50")
    ui.shot("overview-desktop-light")


def test_curves_follow_a_running_job_and_hover_names_every_value(ui: Any) -> None:
    page = ui.open(f"/jobs/{RUNNING}")
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    before = page.locator(".step").inner_text()
    expect(page.locator(".step")).not_to_have_text(before)
    box = page.locator(".plot .nsewdrag").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".hoverlayer .legendtext").first).to_be_visible()
    ui.shot("hover-desktop-light")


def test_pause_and_resume(ui: Any) -> None:
    page = ui.open(f"/jobs/{RUNNING}")
    badge = page.locator(".job-phase")
    expect(badge).to_have_text("Running")
    page.get_by_role("button", name="Pause").click()
    expect(badge).to_have_text("Stopping")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    expect(badge).to_have_text("Paused")
    expect(page.locator(".why-sentence")).to_contain_text("Paused on request")
    expect(page.locator(".timeline")).to_contain_text("PauseRequested")
    expect(page.locator(".toast")).to_contain_text("saves a checkpoint first")
    ui.shot("paused-desktop-light")
    page.get_by_role("button", name="Resume").click()
    expect(badge).to_have_text("Running")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_cancel_asks_first(ui: Any) -> None:
    page = ui.open(f"/jobs/{RUNNING}")
    page.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog", name=f"Cancel {RUNNING}?")
    ui.shot("cancel-desktop-light")
    dialog.get_by_role("button", name="Back").click()
    expect(page.locator(".job-phase")).to_have_text("Running")
    page.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="Cancel the job").click()
    expect(page.locator(".job-phase")).to_have_text("Cancelled")
    expect(page.locator(".live")).to_have_text("Finished")
    for verb in ("Pause", "Resume", "Cancel"):
        expect(page.get_by_role("button", name=verb, exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name="Clone")).to_be_visible()


def test_a_refused_verb_shows_detail_and_hint(ui: Any) -> None:
    ui.expected = ("409",)
    page = ui.open(f"/jobs/{RUNNING}")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.route("**/v1/jobs/*:pause", lambda route: route.fulfill(
        status=409,
        json={"code": "not_allowed_now", "detail": "It ends just now.", "hint": "Clone it."},
    ))  # fmt: skip
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("alert")).to_contain_text("It ends just now.")
    expect(page.get_by_role("alert")).to_contain_text("Clone it.")
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()


def test_a_queued_job_says_why_it_waits(ui: Any) -> None:
    page = ui.open("/jobs/qwen32b-charts-vppo")
    expect(page.locator(".why")).to_contain_text("8 GPUs are held by qwen7b-geometry-vppo")
    expect(page.locator(".why")).to_contain_text("PoolBusy")
    expect(page.locator(".why")).to_contain_text("Raise its priority")
    expect(page.get_by_role("heading", name="No step is done yet")).to_be_visible()
    ui.shot("queued-desktop-light")


def test_logs_follow_filter_and_search(ui: Any) -> None:
    page = ui.open(f"/jobs/{RUNNING}/logs")
    rows = page.locator(".log-row")
    expect(page.locator(".logs .count")).to_contain_text("lines")
    ui.until("document.querySelectorAll('.log-row').length > 480")
    expect(page.get_by_label("Follow")).to_be_checked()
    assert page.evaluate(
        "(() => { const r = document.querySelector('.log-rows');"
        " return r.scrollHeight - r.scrollTop - r.clientHeight < 40 })()"
    )
    ui.shot("logs-desktop-light")
    page.get_by_label("Level").select_option("error")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("loss: <nan>")
    page.get_by_label("Level").select_option("warning")
    page.get_by_label("Find in the log").fill("grader")
    expect(rows.first).to_contain_text("a grader took over 10 s")
    assert page.locator(".log-row:not(.level-warning)").count() == 0
    page.get_by_label("Find in the log").fill("")
    page.get_by_label("Level").select_option("debug")
    page.locator(".log-rows").hover()
    page.mouse.wheel(0, -800)
    expect(page.get_by_label("Follow")).not_to_be_checked()


def test_attempts_show_outcome_failure_and_lost_work(ui: Any) -> None:
    page = ui.open(f"/jobs/{FAILED}/attempts")
    cards = page.locator(".attempt")
    expect(cards).to_have_count(2)
    expect(cards.first.get_by_role("heading")).to_have_text("Attempt 2")
    expect(cards.first).to_contain_text("OutOfMemory")
    expect(cards.first).to_contain_text("counts against maxAttempts")
    expect(cards.first).to_contain_text("8 steps (about 2 GPU-hours)")
    expect(cards.first.get_by_role("img")).to_have_attribute(
        "aria-label", "Steps 30 to 40 kept, 40 to 48 lost, of 200"
    )
    ui.shot("attempts-desktop-light")


def test_checkpoints_are_kept_and_deleted(ui: Any) -> None:
    ui.expected = ("409",)
    page = ui.open(f"/jobs/{RUNNING}/checkpoints")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(6)
    page.get_by_role("button", name="Keep the checkpoint of step 100 for good").click()
    expect(rows.nth(1)).to_contain_text("Kept")
    page.get_by_role("button", name="Delete the checkpoint of step 20").click()
    page.get_by_role("button", name="Delete it").click()
    expect(rows).to_have_count(5)
    page.get_by_role("button", name="Delete the checkpoint of step 120").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("alert")).to_contain_text("must stay")
    ui.shot("checkpoints-desktop-light")


@pytest.mark.parametrize("token", ["", "open-sesame"], ids=["without-token", "with-token"])
def test_a_file_is_downloaded(ui: Any, token: str) -> None:
    ui.expected = ("401",)
    ui.reset(token=token)
    page = ui.open(f"/jobs/{RUNNING}/files")
    if token:
        page.get_by_role("textbox", name="Token").fill(token)
        page.get_by_role("button", name="Continue").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="spotlight/step-000120.json").click()
    assert download.value.suggested_filename == "step-000120.json"
    assert download.value.path().read_text() == "the content of spotlight/step-000120.json"
    expect(page.locator(".files")).to_contain_text("specHash")
    ui.shot(f"files-desktop-light{'-token' if token else ''}")


def test_the_spec_is_shown_as_yaml_and_copied(ui: Any) -> None:
    page = ui.open(f"/jobs/{RUNNING}/spec")
    code = page.get_by_label("Spec in YAML")
    expect(code).to_contain_text("source: Qwen/Qwen2.5-VL-7B-Instruct")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.locator(".toast")).to_contain_text("copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == code.text_content().rstrip("\n") + "\n"
    ui.shot("spec-desktop-light")


def test_an_unknown_job_leads_back(ui: Any) -> None:
    ui.expected = ("404",)
    page = ui.open("/jobs/no-such-job")
    expect(page.get_by_role("alert")).to_contain_text("no job named 'no-such-job'")
    page.get_by_role("link", name="Back to all jobs").click()
    expect(page.locator(".list-body .job-row")).to_have_count(5)


def hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def test_a_hidden_tab_holds_no_stream_and_goes_on_where_it_stopped(ui: Any) -> None:
    page = ui.open(f"/jobs/{RUNNING}/logs")
    ui.until("document.querySelectorAll('.log-row').length > 480")
    hide(page, hidden=True)
    count = page.locator(".log-row").count()
    page.wait_for_timeout(1000)
    assert page.locator(".log-row").count() == count
    with page.expect_request("**/logs?*") as again:
        hide(page, hidden=False)
    assert int(again.value.headers["last-event-id"]) == count
    ui.until(f"document.querySelectorAll('.log-row').length > {count}")
    times = page.locator(".log-row time").evaluate_all("rows => rows.map(row => row.dateTime)")
    assert len(times) == len(set(times))


def test_a_stream_that_breaks_is_taken_up_after_its_last_line(ui: Any) -> None:
    line = '{"time": "2026-11-01T12:00:00Z", "level": "info", "role": "driver", "attempt": 1, '
    line += '"step": 1, "message": "before the break"}'
    body = f"retry: 50\n\nevent: log\r\nid: 470\r\ndata: {line}\r\n\r\nevent: log\ndata: cut"
    asked: list[str | None] = []

    def answer(route: Route) -> None:
        asked.append(route.request.headers.get("last-event-id"))
        if len(asked) == 1:
            route.fulfill(body=body, content_type="text/event-stream")
        else:
            route.continue_()

    page = ui.open()
    page.route("**/logs?*", answer)
    page.goto(f"{ui.address}/ui/#/jobs/{RUNNING}/logs")
    expect(page.locator(".log-row").first).to_contain_text("before the break")
    expect(page.locator(".log-row").nth(10)).to_be_attached()
    assert asked == [None, "470"]
