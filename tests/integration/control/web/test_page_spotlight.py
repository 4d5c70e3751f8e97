"""Spotlight: tokens shaded by dependency, kept and dropped, masked image, steps, order."""

import re
from typing import Any

from playwright.sync_api import expect

SPOTLIGHT = "/jobs/qwen7b-geometry-vppo/spotlight"


def test_from_a_job_to_its_answers(ui: Any) -> None:
    page = ui.open("/jobs/qwen7b-geometry-vppo")
    page.locator(".tabs").get_by_role("link", name="Spotlight").click()
    expect(page.locator(".answer")).to_have_count(8)
    first = page.locator(".answer").first
    expect(first.locator("img")).to_be_visible()
    for text in ("Reward 1", "Advantage", "Weight", "How long is AB?", "Reference", "28 of 71"):
        expect(first).to_contain_text(text)
    assert first.locator("img").evaluate("image => image.naturalWidth") == 168
    ui.shot("spotlight-desktop-light")


def test_shade_rises_with_dependency_and_kept_tokens_are_underlined(ui: Any) -> None:
    page = ui.open(SPOTLIGHT)
    expect(page.locator(".answer")).to_have_count(8)
    tokens = page.locator(".tokens .token").evaluate_all(
        """spans => spans.map(span => ({
          nats: Number(span.dataset.nats),
          shade: Number(/shade-(\\d)/.exec(span.className)[1]),
          state: span.dataset.state,
          line: getComputedStyle(span).textDecorationLine,
          weight: Number(getComputedStyle(span).fontWeight),
        }))"""
    )
    assert len({token["shade"] for token in tokens}) >= 7
    by_nats = sorted(tokens, key=lambda token: token["nats"])
    shades = [token["shade"] for token in by_nats]
    assert shades == sorted(shades)
    for token in tokens:
        is_kept = token["state"] == "kept"
        assert (token["line"] == "underline") is is_kept
        assert (token["weight"] > 500) is is_kept


def test_focus_and_hover_tell_the_value(ui: Any) -> None:
    page = ui.open(SPOTLIGHT)
    tip = page.get_by_role("tooltip")
    page.locator(".answer").first.locator(".token", has_text="picture").hover()
    expect(tip).to_have_text(re.compile(r"[\d.]+ nats · trained · token 4 of 71"))
    ui.shot("spotlight-tip-desktop-light")
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    page.locator(".tokens .token").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(tip).to_contain_text("token 3 of 71")
    page.keyboard.press("End")
    expect(tip).to_contain_text("token 71 of 71")
    expect(page.locator(".step-shown")).to_contain_text("step 120")


def test_m_and_the_button_show_the_masked_image(ui: Any) -> None:
    page = ui.open(SPOTLIGHT)
    image = page.locator(".answer img").first
    clean = image.get_attribute("src")
    page.keyboard.press("m")
    expect(image).not_to_have_attribute("src", clean)
    expect(image).to_have_attribute("alt", "The image as the masked view shows it")
    expect(page.locator("figcaption").first).to_have_text("masked")
    ui.shot("spotlight-masked-desktop-light")
    page.get_by_label("Masked image").click()
    expect(image).to_have_attribute("src", clean)


def test_arrow_keys_buttons_and_slider_change_the_step(ui: Any) -> None:
    page = ui.open(f"{SPOTLIGHT}?step=60")
    shown = page.locator(".step-shown")
    expect(shown).to_have_text("step 60 (3 of 6)")
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_text("step 80 (4 of 6)")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(shown).to_have_text("step 40 (2 of 6)")
    page.get_by_role("button", name="Earlier step").click()
    expect(shown).to_have_text("step 20 (1 of 6)")
    expect(page.get_by_role("button", name="Earlier step")).to_be_disabled()
    page.get_by_role("slider", name="Step").focus()
    page.keyboard.press("End")
    expect(shown).to_have_text("step 120 (6 of 6)")
    expect(page.get_by_role("slider", name="Step")).to_have_attribute("aria-valuetext", "step 120")
    ui.until("location.hash.includes('step=120')")


def test_answers_are_sorted_by_what_is_chosen(ui: Any) -> None:
    page = ui.open(SPOTLIGHT)
    expect(page.locator(".answer")).to_have_count(8)

    def values(name: str) -> list[float]:
        texts = page.locator(".numbers div", has_text=name).locator("dd").all_inner_texts()
        return [float(t.replace("−", "-").replace("+", "").split()[0]) for t in texts]

    page.get_by_label("Order").select_option("dependency-down")
    assert values("Dependency") == sorted(values("Dependency"), reverse=True)
    page.get_by_label("Order").select_option("advantage-up")
    assert values("Advantage") == sorted(values("Advantage"))
    page.get_by_label("Order").select_option("reward-down")
    badges = page.locator(".answer .badge").all_inner_texts()
    assert badges == sorted(badges, reverse=True)
    page.keyboard.press("Escape")
    page.get_by_label("Order").blur()
    page.keyboard.press("j")
    expect(page.locator(".answer").first).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(".answer").nth(1)).to_be_focused()


def test_a_job_without_checkpoints_says_when_answers_come(ui: Any) -> None:
    page = ui.open("/jobs/qwen32b-charts-vppo/spotlight")
    expect(page.get_by_role("heading", name="No answers yet")).to_be_visible()
    ui.shot("spotlight-none-desktop-light")
