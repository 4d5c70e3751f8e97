"""`vppo submit`, `plan`, `clone` and `get`: jobs in and out again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from rich.console import Console
from typer.testing import Result

Vppo = Callable[..., Result]
Job = Callable[..., dict[str, Any]]
FILE = """\
apiVersion: vppo.io/v1alpha1
kind: VPPOJob
metadata: {name: demo}
spec: {model: {source: m}, data: {source: d}}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "job.yaml"
    path.write_text(FILE)
    return str(path)


def test_a_job_is_sent_with_its_changes(server: Any, vppo: Vppo, job_json: Job, file: str) -> None:
    server.json("POST", "/jobs", job_json("other"), status=201)
    result = vppo("submit", file, "--set", "seed=7", "--name", "other", "--idempotency-key", "k")
    assert result.stdout == "OK  other submitted; `vppo watch other` follows it\n"
    assert server.requests[0].headers["idempotency-key"] == "k"
    assert server.body() == {
        "apiVersion": "vppo.io/v1alpha1",
        "kind": "VPPOJob",
        "metadata": {"name": "other"},
        "spec": {"model": {"source": "m"}, "data": {"source": "d"}, "seed": 7},
    }


def test_a_job_may_come_from_standard_input(server: Any, vppo: Vppo, job_json: Job) -> None:
    server.json("POST", "/jobs", job_json(), status=201)
    assert vppo("submit", "-", input=FILE).exit_code == 0
    assert server.body()["metadata"]["name"] == "demo"


def test_a_job_that_was_got_can_be_sent_again(
    server: Any, vppo: Vppo, job_json: Job, tmp_path: Path
) -> None:
    server.json("GET", "/jobs/demo", job_json(phase="Failed", attempt=3))
    server.json("POST", "/jobs", job_json("again"), status=201)
    saved = tmp_path / "saved.yaml"
    saved.write_text(vppo("get", "demo", "-o", "yaml").stdout)
    assert vppo("submit", str(saved), "--name", "again").exit_code == 0
    sent = server.body()
    assert "status" not in sent
    assert sent["metadata"] == {"name": "again", "namespace": "", "labels": {}, "annotations": {}}
    assert sent["spec"]["model"]["source"] == "m"


def test_a_broken_job_is_refused_before_it_is_sent(server: Any, vppo: Vppo, file: str) -> None:
    result = vppo("submit", file, "--set", "rollout.groupSize=1")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: rollout.groupSize must be at least 2")
    assert server.requests == []


def test_metadata_that_are_no_mapping_are_a_sentence(vppo: Vppo) -> None:
    result = vppo("submit", "-", "--name", "x", input=FILE.replace("{name: demo}", "text"))
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_a_replay_is_told(server: Any, vppo: Vppo, job_json: Job, file: str) -> None:
    replay = httpx.Response(200, json=job_json(), headers={"idempotent-replayed": "true"})
    server.answer("POST", "/jobs", replay)
    assert "demo was submitted before" in vppo("submit", file).stdout


def test_a_name_for_scripts(server: Any, vppo: Vppo, job_json: Job, file: str) -> None:
    server.json("POST", "/jobs", job_json("demo-x1"), status=201)
    assert vppo("submit", file, "-o", "name").stdout == "demo-x1\n"


def test_a_job_that_will_not_run_says_so(server: Any, vppo: Vppo, job_json: Job, file: str) -> None:
    job = job_json()
    job["spec"]["desiredState"] = "Paused"
    server.json("POST", "/jobs", job, status=201)
    assert "desiredState Paused, so the job does not run" in vppo("submit", file).stderr


def test_a_submitted_job_may_be_watched_to_its_end(
    server: Any, vppo: Vppo, job_json: Job, file: str, sse: Callable[..., str]
) -> None:
    server.json("POST", "/jobs", job_json(), status=201)
    server.stream("/jobs/demo/events", sse(("status", {"phase": "Failed"}), ("end", {})))
    result = vppo("submit", file, "--watch")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "OK  demo submitted"


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [(409, "name_taken", 5), (422, "invalid_spec", 2), (403, "forbidden", 7), (401, "x", 7)],
)
def test_a_refusal_is_a_sentence_and_an_exit_code(
    server: Any, vppo: Vppo, file: str, status: int, code: str, exit_code: int
) -> None:
    server.problem("POST", "/jobs", status, code, "a rule, got a value; a cure")
    result = vppo("submit", file)
    assert (result.exit_code, result.stderr) == (exit_code, "error: a rule, got a value; a cure\n")


def test_a_server_that_is_away_is_a_sentence_with_the_cure(
    server: Any, vppo: Vppo, file: str
) -> None:
    server.answer("POST", "/jobs", httpx.ConnectError("[Errno 111] Connection refused"))
    result = vppo("submit", file)
    assert result.exit_code == 6
    assert len(result.stderr.splitlines()) == 1
    assert "start it with `vppo serve`" in result.stderr


def test_a_plan_is_facts_and_warnings(server: Any, vppo: Vppo, job_json: Job, file: str) -> None:
    job = job_json()
    job["spec"]["learner"] = {"numSteps": 60}
    plan = {
        "job": {name: job[name] for name in ("apiVersion", "kind", "metadata", "spec")},
        "planHash": "abc",
        "process": {},
        "gpus": 8,
        "queue": {"name": "default", "pool": "local", "waiting": 2, "isFree": False},
        "price": {"perHour": 16.0, "estimated": 40.0},
        "estimatedSeconds": 9000.0,
        "warnings": ["no held-out data"],
    }
    server.json("POST", "/jobs", plan)
    result = vppo("plan", file)
    assert dict(line.split(maxsplit=1) for line in result.stdout.splitlines()) == {
        "job": "demo",
        "model": "m",
        "data": "d",
        "steps": "60",
        "queue": "default on pool local, 2 waiting",
        "gpus": "8",
        "time": "2h30m",
        "price": "16.00 an hour, 40.00 in all",
        "hash": "abc",
    }
    assert result.stderr == "note: no held-out data\n"
    assert dict(server.requests[0].url.params) == {"dryRun": "true"}
    assert json.loads(vppo("plan", file, "-o", "json").stdout)["planHash"] == "abc"


def test_a_clone_is_sent_with_its_changes(server: Any, vppo: Vppo, job_json: Job) -> None:
    server.json("POST", "/jobs/demo:clone", job_json("two"), status=201)
    result = vppo("clone", "demo", "--name", "two", "--set", "rollout.groupSize=4")
    assert result.stdout == "OK  two submitted, from demo\n"
    assert server.body() == {"spec": {"rollout": {"groupSize": 4}}, "metadata": {"name": "two"}}


def test_jobs_are_rows_on_a_pipe(server: Any, vppo: Vppo, job_json: Job) -> None:
    first = job_json(
        phase="Running",
        attempt=2,
        progress={"step": 12, "totalSteps": 200, "display": "12/200"},
        queue={"name": "gpu"},
        usage={"gpus": 8},
    )
    second = job_json("b", queue={"name": "gpu", "position": 3})
    server.json("GET", "/jobs", {"items": [first, second], "nextCursor": None})
    assert [line.split("\t") for line in vppo("get").stdout.splitlines()] == [
        ["NAME", "PHASE", "STEP", "ATTEMPT", "QUEUE", "GPUS", "AGE"],
        ["demo", "Running", "12/200", "2", "gpu", "8", "60m"],
        ["b", "Queued", "-", "0", "gpu #3", "0", "60m"],
    ]


def test_jobs_are_a_table_on_a_terminal(
    server: Any, vppo: Vppo, job_json: Job, terminal: Console
) -> None:
    server.json("GET", "/jobs", {"items": [job_json()], "nextCursor": None})
    vppo("get", console=terminal)
    head, row = terminal.export_text().splitlines()
    assert head.split() == ["NAME", "PHASE", "STEP", "ATTEMPT", "QUEUE", "GPUS", "AGE"]
    assert row.split() == ["demo", "Queued", "-", "0", "-", "0", "60m"]


def test_filters_reach_the_server(server: Any, vppo: Vppo) -> None:
    server.json("GET", "/jobs", {"items": [], "nextCursor": None})
    result = vppo(
        "get",
        "--phase",
        "running",
        "--phase",
        "Failed",
        "--queue",
        "q",
        "-l",
        "a=1,b=2",
        "-l",
        "c=",
    )
    assert server.requests[0].url.params.get_list("phase") == ["Running", "Failed"]
    assert server.requests[0].url.params["queue"] == "q"
    assert server.requests[0].url.params["labelSelector"] == "a=1,b=2,c="
    assert (result.stdout, result.stderr) == ("", "note: no jobs; `vppo submit FILE` makes one\n")


def test_a_label_without_a_value_is_a_sentence(vppo: Vppo) -> None:
    result = vppo("get", "-l", "team")
    assert (result.exit_code, "write KEY=VALUE" in result.stderr) == (2, True)


def pages(job_json: Job, count: int) -> Callable[[httpx.Request], httpx.Response]:
    def page(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("cursor") or 0)
        end = min(start + int(request.url.params["limit"]), count)
        items = [job_json(f"j{number}") for number in range(start, end)]
        return httpx.Response(
            200, json={"items": items, "nextCursor": str(end) if end < count else None}
        )

    return page


@pytest.mark.parametrize(
    ("arguments", "count", "sizes", "has_more"),
    [
        ([], 20, ["20"], True),
        (["--limit", "250"], 250, ["100", "100", "50"], False),
        (["--limit", "249"], 249, ["100", "100", "49"], True),
        (["--all"], 250, ["100", "100", "100"], False),
    ],
)
def test_a_list_is_as_long_as_asked(
    server: Any,
    vppo: Vppo,
    job_json: Job,
    arguments: list[str],
    count: int,
    sizes: list[str],
    has_more: bool,
) -> None:
    server.answer("GET", "/jobs", pages(job_json, 250))
    result = vppo("get", "-o", "name", *arguments)
    assert result.stdout.splitlines() == [f"j{number}" for number in range(count)]
    assert [request.url.params["limit"] for request in server.requests] == sizes
    assert ("--all or a greater --limit shows more" in result.stderr) is has_more


def test_one_job_as_json_and_several_as_yaml(server: Any, vppo: Vppo, job_json: Job) -> None:
    server.json("GET", "/jobs/demo", job_json())
    server.json("GET", "/jobs", {"items": [job_json()], "nextCursor": None})
    one = json.loads(vppo("get", "demo", "-o", "json").stdout)
    assert one["metadata"]["uid"] == "uid-of-demo"
    assert yaml.safe_load(vppo("get", "-o", "yaml").stdout)["items"] == [one]


def test_a_wide_table_has_more_columns(server: Any, vppo: Vppo, job_json: Job) -> None:
    progress = {"step": 1, "totalSteps": 9, "stage": "sample", "etaSeconds": 90}
    server.json("GET", "/jobs/demo", job_json(phase="Running", progress=progress))
    head, row = (line.split("\t") for line in vppo("get", "demo", "-o", "wide").stdout.splitlines())
    cells = dict(zip(head, row, strict=True))
    assert (cells["STAGE"], cells["ETA"], cells["UID"]) == ("sample", "90s", "uid-of-demo")
