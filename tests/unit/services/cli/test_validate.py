"""`vppo validate`, `schema` and `presets`: what they print and how they end."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from vppo_core.spec.crd import vppojob_crd
from vppo_core.spec.loading import load_job
from vppo_core.spec.presets import PRESETS
from vppo_core.spec.schema import job_schema
from vppo_services.cli.main import app

GOOD = """\
apiVersion: vppo.io/v1alpha1
kind: VPPOJob
metadata: {name: good}
spec:
  model: {source: m}
  data: {source: d}
"""


def vppo(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD + "  rollout: {groupSize: 1, topP: 2}\n")
    return path


def test_good_files_get_a_line_each(good: Path) -> None:
    result = vppo("validate", good, good)
    assert (result.exit_code, result.stdout) == (0, f"OK  {good}\n" * 2)


def test_bad_files_get_a_line_for_each_problem_and_good_ones_are_still_checked(
    good: Path, bad: Path
) -> None:
    result = vppo("validate", bad, good)
    assert result.exit_code == 2
    assert result.stdout == f"OK  {good}\n"
    assert result.stderr.splitlines() == [
        f"{bad}: error: rollout.groupSize must be at least 2 and at most 128, got 1; "
        "raise it (the default is 8)",
        f"{bad}: error: rollout.topP must be above 0 and at most 1, got 2; "
        "lower it (the default is 1.0)",
    ]


def test_assignments_are_checked_with_the_file(good: Path, bad: Path) -> None:
    assert vppo("validate", good, "--set", "rollout.groupSize=1").exit_code == 2
    mended = vppo("validate", bad, "--set", "rollout.groupSize=4", "--set", "rollout.top_p=1")
    assert mended.exit_code == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, "a job file must be readable", id="no-such-file"),
        pytest.param(b"\xff\xfe", "a job file must be UTF-8 text", id="not-utf-8"),
        pytest.param(b"a" * 300_000, "a job file must have at most", id="oversize"),
    ],
)
def test_a_file_that_cannot_be_read_gets_a_sentence(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "job.yaml"
    if content is not None:
        path.write_bytes(content)
    result = vppo("validate", path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert sentence in result.stderr


def test_a_folder_is_no_job_file(tmp_path: Path) -> None:
    assert "a job file must be readable" in vppo("validate", tmp_path).stderr


def test_the_schema_is_printed_as_json_and_as_yaml() -> None:
    assert json.loads(vppo("schema", "job").stdout) == job_schema()
    assert yaml.safe_load(vppo("schema", "job", "-o", "yaml").stdout) == job_schema()


def test_the_crd_is_printed_for_kubectl() -> None:
    assert yaml.safe_load(vppo("schema", "crd", "-o", "yaml").stdout) == vppojob_crd()


def test_presets_are_listed_with_a_line_each() -> None:
    lines = vppo("presets").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_printed_preset_is_a_job_file(name: str) -> None:
    assert load_job(vppo("presets", name).stdout) == PRESETS[name].job()


def test_an_unknown_preset_is_a_sentence_and_exit_code_2() -> None:
    result = vppo("presets", "vppo7b")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "did you mean 'vppo-7b'?" in result.stderr


def test_text_that_looks_like_markup_is_printed_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "[red]job.yaml"
    path.write_text(GOOD)
    assert vppo("validate", path).stdout == f"OK  {path}\n"
