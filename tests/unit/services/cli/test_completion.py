"""What the shell offers after TAB, and how the command reads."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from vppo_services.cli.completion import job_names
from vppo_services.cli.door import Surroundings
from vppo_services.cli.main import app

Job = Callable[..., dict[str, Any]]
SERVER_COMMANDS = (
    "submit",
    "get",
    "watch",
    "logs",
    "events",
    "explain",
    "attempts",
    "checkpoints",
    "pause",
    "resume",
    "cancel",
    "delete",
    "clone",
    "queues",
    "usage",
    "plan",
    "schema",
)


class FakeContext:
    def __init__(self, server: Any, address: str, token_file: str) -> None:
        self.params = {"server": address, "token_file": token_file}
        self._around = Surroundings(
            transport=httpx.MockTransport(server.handle), sleep=server.sleep
        )

    def find_object(self, _: type) -> Surroundings:
        return self._around


def names(server: Any, incomplete: str, *, address: str = "", token_file: str = "") -> list[str]:
    context = FakeContext(server, address, token_file)
    return job_names(context, incomplete)  # type: ignore[arg-type]


def test_names_that_start_like_this_are_offered_once(server: Any, job_json: Job) -> None:
    items = [job_json(name) for name in ("demo-1", "demo-1", "my-demo", "demo-2")]
    server.json("GET", "/jobs", {"items": items, "nextCursor": None})
    assert names(server, "demo", address="http://api") == ["demo-1", "demo-2"]
    assert server.requests[0].url.host == "api"


@pytest.mark.parametrize(
    "answer", [httpx.ConnectError("away"), httpx.ReadTimeout("slow"), httpx.Response(401)]
)
def test_a_server_that_does_not_help_is_not_waited_for(server: Any, answer: Any) -> None:
    server.answer("GET", "/jobs", answer)
    assert names(server, "demo") == []
    assert (len(server.requests), server.slept) == (1, [])


def test_a_token_that_is_not_there_offers_nothing(server: Any) -> None:
    assert names(server, "", address="http://api", token_file="/none") == []


def test_the_shell_completes_commands() -> None:
    environment = {
        **os.environ,
        "_VPPO_COMPLETE": "complete_bash",
        "COMP_WORDS": "vppo ex",
        "COMP_CWORD": "1",
    }
    command = [
        sys.executable,
        "-c",
        "from vppo_services.cli.main import app; app(prog_name='vppo')",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == {"explain", "export"}


def help_of(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": "120"})


def test_the_help_is_in_panels_and_names_the_exit_codes() -> None:
    text = help_of().stdout
    for panel in ("On this machine", "Job files", "Jobs of a server", "Changing jobs"):
        assert panel in text
    for code in ("1 the job failed", "3 the job was cancelled", "6 server away", "7 no permission"):
        assert code in " ".join(text.split())


@pytest.mark.parametrize("command", SERVER_COMMANDS)
def test_every_command_of_a_server_takes_its_address(command: str) -> None:
    result = help_of(command)
    assert result.exit_code == 0
    assert "--server" in result.stdout
    assert "VPPO_SERVER" in result.stdout


@pytest.mark.parametrize("command", ["serve", "eval", "train", "export", "validate", "presets"])
def test_a_command_of_this_machine_does_not(command: str) -> None:
    result = help_of(command)
    assert result.exit_code == 0
    assert "VPPO_SERVER" not in result.stdout


def test_the_help_imports_no_http() -> None:
    code = "import sys, vppo_services.cli.main; print({'httpx', 'rich.live'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
