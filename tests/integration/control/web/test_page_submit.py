"""Submitting: a file becomes a plan, errors name their field, clones start from a spec."""

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from vppo_core.spec.parsing import read_document

JOB = """apiVersion: vppo.io/v1alpha1
kind: VPPOJob
metadata: {name: fresh-job}
spec:
  model: {source: "demo://qwen2.5-vl"}
  data: {source: "demo://colours"}
"""


def test_a_plan_comes_before_the_job(ui: Any) -> None:
    page = ui.open()
    expect(page.locator(".list-body .job-row")).to_have_count(5)
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog", name="New job")
    create = dialog.get_by_role("button", name="Create")
    expect(create).to_be_disabled()
    dialog.get_by_label("Job file").fill(JOB)
    dialog.get_by_role("button", name="Check").click()
    plan = dialog.get_by_role("status", name="Plan")
    for text in ("fresh-job", "gpu (pool h100)", "after 2 that wait", "8", "1 h 45 min", "41.30"):
        expect(plan).to_contain_text(text)
    expect(plan).to_contain_text("a lost node loses the whole run")
    ui.shot("plan-desktop-light")
    dialog.get_by_label("Job file").press("End")
    dialog.get_by_label("Job file").press("Enter")
    expect(create).to_be_disabled()
    dialog.get_by_role("button", name="Check").click()
    expect(create).to_be_enabled()
    with page.expect_request(lambda request: request.method == "POST") as sent:
        create.click()
    expect(page.get_by_role("heading", level=1, name="fresh-job")).to_be_visible()
    assert sent.value.headers["if-plan-match"] == "sha256:1f0c"
    assert len(sent.value.headers["idempotency-key"]) == 32


def test_wrong_fields_are_named_with_their_cure(ui: Any) -> None:
    ui.expected = ("422",)
    page = ui.open()
    page.get_by_role("button", name="New job").click()
    dialog = page.get_by_role("dialog", name="New job")
    wrong = JOB + "  rollout: {groupSize: 1}\n  learner: {numSteps: 0}\n"
    dialog.get_by_label("Job file").fill(wrong)
    dialog.get_by_role("button", name="Check").click()
    problems = dialog.locator(".problems li")
    expect(problems).to_have_count(2)
    expect(problems.locator("code")).to_contain_text(["rollout.groupSize", "learner.numSteps"])
    ui.shot("plan-errors-desktop-light")
    expect(dialog.get_by_role("button", name="Create")).to_be_disabled()


def test_a_file_can_be_opened(ui: Any, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    page = ui.open()
    page.get_by_role("button", name="New job").click()
    page.locator("#job-upload").set_input_files(tmp_path / "job.yaml")
    expect(page.get_by_label("Job file")).to_have_value(JOB)
    expect(page.get_by_role("status", name="Plan")).to_contain_text("The file is valid.")


def test_a_clone_is_the_same_spec_under_a_new_name(ui: Any) -> None:
    ui.expected = ("409",)
    page = ui.open("/jobs/dapo-baseline-seed-3")
    page.get_by_role("button", name="Clone").click()
    dialog = page.get_by_role("dialog", name="Clone dapo-baseline-seed-3")
    text = dialog.get_by_label("Job file")
    assert "name: dapo-baseline-seed-4" in text.input_value()
    assert "desiredState: Running" in text.input_value()
    ui.shot("clone-desktop-light")
    dialog.get_by_role("button", name="Check").click()
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1, name="dapo-baseline-seed-4")).to_be_visible()
    source = page.request.get(f"{ui.address}/v1/jobs/dapo-baseline-seed-3").json()["spec"]
    clone = page.request.get(f"{ui.address}/v1/jobs/dapo-baseline-seed-4").json()["spec"]
    assert clone == {**source, "desiredState": "Running"}


def test_what_the_page_writes_as_yaml_reads_back_as_the_same(ui: Any) -> None:
    texts = ["", " ", "a", "yes", "No", "null", "~", "1", "1e-6", "0x1f", "1.0", ".inf", "-", "- a"]
    texts += [
        "a: b",
        "a #b",
        "# a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "{a",
        "[a",
        "'a",
        '"a',
        "a:",
    ]
    texts += [
        "s3://x/y?z=1",
        "demo://colours?split=a",
        "x ",
        " x",
        "2026-01-01",
        "12:30:00",
        "é",
        "↵",
    ]
    texts += [
        "a\nb",
        "a\n\nb\n",
        "\na",
        " a\nb",
        "a \nb",
        "a\nb\n\n",
        "{{ x | y }}\n\n  z",
        "\t",
        "a\tb\nc",
    ]
    texts += [
        "\u0085",
        "a\u2028b",
        "\x07",
        "true\nfalse",
        "=",
        "<<",
        "a\r\nb",
        "y",
        "0o17",
        "1_000",
    ]
    numbers = [0, -1, 3, 0.4, 0.000001, 1e-8, 1.5e-7, 1e21, -2.5e-9]
    value = {
        "texts": texts,
        "numbers": numbers,
        "byKey": {text: index for index, text in enumerate(texts)},
        "nested": [{"a": [], "b": {}, "c": [{"d": "e\nf", "g": [1, 2]}]}, True, False],
    }
    page = ui.open()
    written = page.evaluate(
        """async (value) => {
          const app = document.querySelector('script[type=module]').src;
          return (await import(new URL('yaml.js', app))).toYaml(value);
        }""",
        value,
    )
    assert read_document(written) == value
