"""Both themes, both widths: nothing scrolls sideways, texts are readable, buttons have names."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

JOB = "/jobs/qwen7b-geometry-vppo"
VIEWS = {
    "jobs": ("", ".list-body .job-row"),
    "overview": (JOB, ".js-plotly-plot .legendtext"),
    "spotlight": (f"{JOB}/spotlight", ".answer img"),
    "logs": (f"{JOB}/logs", ".log-row"),
    "attempts": (f"{JOB}/attempts", ".attempt"),
    "checkpoints": (f"{JOB}/checkpoints", "tbody tr"),
    "files": (f"{JOB}/files", ".file-list li"),
    "spec": (f"{JOB}/spec", ".yaml-key"),
    "failed": ("/jobs/grpo-large-batch", ".js-plotly-plot .legendtext"),
}
NAMELESS = """() => [...document.querySelectorAll('button, a[href], input, select, textarea')]
  .filter(e => e.checkVisibility() && !(e.getAttribute('aria-label') || e.textContent.trim()
    || e.labels?.length || e.placeholder))
  .map(e => e.outerHTML.slice(0, 120))"""
DUPLICATES = """() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  return ids.filter((id, index) => ids.indexOf(id) !== index) }"""
CONTRASTS = """() => {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const under = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const layer = rgba(getComputedStyle(e).backgroundColor);
      if (layer[3]) layers.push(layer);
      if (layer[3] === 255) break;
    }
    return layers.reverse().reduce((below, [r, g, b, a]) =>
      [r, g, b].map((value, i) => value * a / 255 + below[i] * (1 - a / 255)), [255, 255, 255]);
  };
  const luminance = (rgb) => {
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const low = new Map();
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const isIgnored = e.closest('svg, [hidden], .sr, :disabled, noscript');
    if (!own || isIgnored || !e.checkVisibility()) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(e).color).slice(0, 3)), luminance(under(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const text = `${ratio.toFixed(2)} ${e.textContent.slice(0, 30)}`;
    if (ratio < 4.5) low.set(`${e.tagName}.${e.className}`, text);
  }
  return [...low];
}"""


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_readable(ui: Any, view: str, scheme: str, size: str) -> None:
    path, content = VIEWS[view]
    page = ui.open(path, size=size, scheme=scheme)
    expect(page.locator(content).first).to_be_attached()
    page.wait_for_timeout(300)
    ui.shot(f"{view}-{size}-{scheme}")
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(DUPLICATES) == []
    assert page.evaluate(CONTRASTS) == []
    assert page.get_by_role("heading", level=1).count() <= 1
    assert page.get_by_role("main").count() == 1


def background(page: Page) -> str:
    text: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return text


def test_the_theme_button_goes_round_and_the_choice_stays(ui: Any) -> None:
    page = ui.open(scheme="light")
    light = background(page)
    page.keyboard.press("t")
    assert background(page) == light
    page.keyboard.press("t")
    dark = background(page)
    assert dark != light
    page.reload()
    expect(page.locator(".list-body .job-row")).to_have_count(5)
    assert background(page) == dark
    page.get_by_role("button", name="Colours: dark").click()
    assert background(page) == light


def test_charts_follow_the_theme(ui: Any) -> None:
    page = ui.open(JOB, scheme="light")
    label = page.locator(".js-plotly-plot .legendtext").first
    expect(label).to_be_attached()
    light = label.evaluate("text => getComputedStyle(text).fill")
    page.keyboard.press("t")
    page.keyboard.press("t")
    text = "document.querySelector('.js-plotly-plot .legendtext')"
    ui.until(f"getComputedStyle({text}).fill !== '{light}'")


def test_charts_are_loaded_only_where_they_are_shown(ui: Any) -> None:
    page = ui.open()
    expect(page.locator(".list-body .job-row")).to_have_count(5)
    assert not page.evaluate("'Plotly' in window")
    page.goto(f"{ui.address}/ui/#{JOB}/spec")
    expect(page.locator(".yaml-key").first).to_be_visible()
    assert not page.evaluate("'Plotly' in window")


def test_on_a_phone_one_taps_through_to_an_answer(ui: Any) -> None:
    page = ui.open(size="phone", scheme="dark")
    page.locator(".list-body .job-row").first.tap()
    page.locator(".tabs").get_by_role("link", name="Spotlight").tap()
    answer = page.locator(".answer").first
    answer.scroll_into_view_if_needed()
    page.locator(".token", has_text="picture").first.tap()
    expect(page.get_by_role("tooltip")).to_contain_text("nats")
    ui.shot("spotlight-answer-phone-dark")
    page.get_by_role("button", name="New job").tap()
    expect(page.get_by_role("dialog", name="New job")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ui.shot("submit-phone-dark")
