"""What the server refuses, as errors with a sentence, facts and an exit code."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from vppo_services.cli.client import ApiProblem, Client
from vppo_services.cli.client.problems import problem_of


def problem(status: int, document: Any, **headers: str) -> ApiProblem:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return problem_of(status, httpx.Headers(headers), body, address="http://api")


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        (400, 2),
        (401, 7),
        (403, 7),
        (404, 4),
        (409, 5),
        (412, 5),
        (413, 2),
        (422, 2),
        (429, 6),
        (500, 1),
        (503, 6),
        (504, 6),
    ],
)
def test_each_status_has_its_exit_code(status: int, exit_code: int) -> None:
    assert problem(status, {"code": "x", "detail": "a sentence"}).exit_code == exit_code


def test_code_param_and_hint_are_readable_and_the_cure_is_told() -> None:
    error = problem(
        422,
        {
            "code": "invalid_spec",
            "param": "rollout.groupSize",
            "detail": "must be 2, got 1",
            "hint": "raise it",
            "requestId": "r1",
        },
    )
    assert (error.status, error.code, error.param, error.hint, error.facts.request_id) == (
        422,
        "invalid_spec",
        "rollout.groupSize",
        "raise it",
        "r1",
    )
    assert str(error) == "must be 2, got 1; raise it"


def test_a_cure_that_the_sentence_has_already_is_told_once() -> None:
    document = {"code": "x", "detail": "must be 2, got 1; raise it", "hint": "raise it"}
    assert str(problem(422, document)) == "must be 2, got 1; raise it"


def test_each_of_several_errors_is_a_line() -> None:
    errors = [{"detail": "a is wrong", "hint": "mend a"}, {"detail": "b is wrong"}]
    error = problem(422, {"code": "invalid_spec", "detail": "two things", "errors": errors})
    assert str(error).splitlines() == ["a is wrong; mend a", "b is wrong"]


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b"{}", b"\xff", b'{"errors": [1]}'])
def test_an_answer_of_something_else_says_to_check_the_address(body: bytes) -> None:
    error = problem(404, body)
    assert "--server must be the address of a vppo API, got status 404" in str(error)
    assert error.exit_code == 6


def test_a_redirect_names_the_address_to_give() -> None:
    assert "did you mean 'https://api/'?" in str(problem(301, b"", location="https://api/"))


def test_an_error_of_the_server_itself_is_no_fault_of_the_address() -> None:
    assert problem(500, b"boom").exit_code == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("0", 0.0), ("nan", None), ("inf", None), ("Mon, 1", None)]
)
def test_the_time_to_try_again_is_read(text: str, seconds: float | None) -> None:
    error = problem(429, {"detail": "slow down"}, **{"retry-after": text})
    assert error.facts.retry_after_seconds == seconds


def test_an_error_survives_pickling() -> None:
    error = problem(404, {"code": "not_found", "detail": "no job"})
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code) == (type(error), "no job", "not_found")


def test_a_newer_server_may_say_more(
    server: Any, client: Client, job_json: Callable[..., dict[str, Any]]
) -> None:
    document = job_json(phase="Running", mood="good")
    document["spec"]["rollout"] = {"groupSize": 4, "colour": "red"}
    server.json("GET", "/jobs/demo", document)
    assert client.get("demo").spec.rollout.group_size == 4


def test_an_answer_of_another_shape_is_a_sentence(server: Any, client: Client) -> None:
    server.json("GET", "/jobs/demo", {"name": "demo"})
    with pytest.raises(ApiProblem, match="use the same version on both sides"):
        client.get("demo")


def test_a_document_that_is_none_is_a_sentence(server: Any, client: Client) -> None:
    server.json("GET", "/schema/openapi", [1])
    with pytest.raises(ApiProblem, match="must answer with a JSON object"):
        client.schema("openapi")
