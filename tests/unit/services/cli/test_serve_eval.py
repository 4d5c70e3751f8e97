"""`vppo serve` and `vppo eval`: the programs that they become."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner

from vppo_services.cli.launch import Launcher
from vppo_services.cli.main import app


@dataclass(frozen=True)
class FakeProgram(Launcher):
    started: list[tuple[str, list[str]]] = field(default_factory=list)

    def run(self, module: str, arguments: Sequence[str]) -> NoReturn:
        self.started.append((module, list(arguments)))
        raise typer.Exit(12)


@pytest.mark.parametrize(
    ("written", "module", "arguments"),
    [
        pytest.param(["serve"], "vppo_services.api", [], id="serve"),
        pytest.param(
            [
                "serve",
                "--host",
                "::1",
                "--port",
                "0",
                "--state",
                "s",
                "--platform",
                "p.yaml",
                "--token-file",
                "t",
                "--database",
                "sqlite:///x",
                "--force",
            ],
            "vppo_services.api",
            [
                "--host",
                "::1",
                "--port",
                "0",
                "--state",
                "s",
                "--platform",
                "p.yaml",
                "--token-file",
                "t",
                "--database",
                "sqlite:///x",
                "--force",
            ],
            id="serve-all",
        ),
        pytest.param(["eval", "runs/a"], "vppo_services.evaluation", ["runs/a"], id="eval"),
        pytest.param(
            [
                "eval",
                "runs/a",
                "--data",
                "d",
                "--max-prompts",
                "8",
                "--samples",
                "2",
                "--temperature",
                "0",
                "--output",
                "o.json",
            ],
            "vppo_services.evaluation",
            [
                "runs/a",
                "--data",
                "d",
                "--max-prompts",
                "8",
                "--samples",
                "2",
                "--temperature",
                "0.0",
                "--output",
                "o.json",
            ],
            id="eval-all",
        ),
    ],
)
def test_a_program_is_started_and_its_exit_code_is_ours(
    written: list[str], module: str, arguments: list[str]
) -> None:
    program = FakeProgram()
    result = CliRunner().invoke(app, written, obj=program)
    assert result.exit_code == 12
    assert program.started == [(module, arguments)]


@pytest.mark.parametrize(
    "written", [["serve", "--port", "70000"], ["eval"], ["eval", "a", "--samples", "0"]]
)
def test_wrong_usage_starts_nothing(written: list[str]) -> None:
    program = FakeProgram()
    assert CliRunner().invoke(app, written, obj=program).exit_code == 2
    assert program.started == []
