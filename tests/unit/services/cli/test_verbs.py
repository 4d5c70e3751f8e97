"""`vppo pause`, `resume`, `cancel`, `delete`: asked of each job, awaited if wanted."""

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

Vppo = Callable[..., Result]
Job = Callable[..., dict[str, Any]]
Sse = Callable[..., str]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("pause", "will pause after a checkpoint"),
        ("resume", "will go on"),
        ("cancel", "will end after a checkpoint"),
    ],
)
def test_each_job_is_asked(server: Any, vppo: Vppo, job_json: Job, word: str, said: str) -> None:
    for name in ("a", "b"):
        server.json("POST", f"/jobs/{name}:{word}", job_json(name), status=202)
    result = vppo(word, "a", "b")
    assert (result.exit_code, result.stdout) == (0, f"OK  a {said}\nOK  b {said}\n")


def test_a_job_that_refuses_does_not_keep_the_next_from_being_asked(
    server: Any, vppo: Vppo, job_json: Job
) -> None:
    server.problem("POST", "/jobs/a:pause", 409, "not_allowed_now", "a is finished")
    server.json("POST", "/jobs/b:pause", job_json("b"), status=202)
    result = vppo("pause", "missing", "a", "b")
    assert result.exit_code == 4
    assert result.stdout == "OK  b will pause after a checkpoint\n"
    assert result.stderr.splitlines()[1] == "error: a is finished"


@pytest.mark.parametrize(
    ("word", "phases", "reached", "exit_code"),
    [
        ("pause", ["Running", "Stopping", "Paused", "Running"], "Paused", 0),
        ("pause", ["Running", "Succeeded"], "Succeeded", 0),
        ("pause", ["Running", "Failed"], "Failed", 1),
        ("resume", ["Paused", "Queued", "Running"], "Running", 0),
        ("cancel", ["Running", "Stopping", "Cancelled"], "Cancelled", 0),
    ],
)
def test_a_wait_ends_when_it_is_so(
    server: Any,
    vppo: Vppo,
    job_json: Job,
    sse: Sse,
    word: str,
    phases: list[str],
    reached: str,
    exit_code: int,
) -> None:
    server.json("POST", f"/jobs/demo:{word}", job_json(), status=202)
    server.stream("/jobs/demo/events", sse(*(("status", {"phase": phase}) for phase in phases)))
    result = vppo(word, "demo", "--wait")
    assert (result.exit_code, result.stdout) == (exit_code, f"OK  demo is {reached}\n")
    assert server.paths == [f"POST /jobs/demo:{word}", "GET /jobs/demo/events"]


def test_all_are_asked_before_one_is_awaited(
    server: Any, vppo: Vppo, job_json: Job, sse: Sse
) -> None:
    for name in ("a", "b"):
        server.json("POST", f"/jobs/{name}:cancel", job_json(name), status=202)
        server.stream(f"/jobs/{name}/events", sse(("status", {"phase": "Cancelled"}), ("end", {})))
    vppo("cancel", "a", "b", "--wait")
    assert [path.split()[0] for path in server.paths] == ["POST", "POST", "GET", "GET"]


def test_a_deletion_is_asked_for_without_a_question(server: Any, vppo: Vppo, job_json: Job) -> None:
    server.json("DELETE", "/jobs/demo", job_json(), status=202)
    assert vppo("delete", "demo", "-y").stdout == "OK  demo will be deleted; its record stays\n"


def test_a_deletion_off_a_terminal_must_be_confirmed(server: Any, vppo: Vppo) -> None:
    result = vppo("delete", "demo")
    assert (result.exit_code, "add --yes" in result.stderr) == (2, True)
    assert server.requests == []


def test_a_deletion_may_be_awaited(server: Any, vppo: Vppo, job_json: Job, sse: Sse) -> None:
    server.json("DELETE", "/jobs/demo", job_json(), status=202)
    server.stream("/jobs/demo/events", sse(("status", {"phase": "Cancelled"}), ("end", {})))
    assert vppo("delete", "demo", "-y", "--wait").stdout == "OK  demo is Cancelled\n"
