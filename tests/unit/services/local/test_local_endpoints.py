"""Where the pages of running attempts are: what a run says of itself, checked."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vppo_services.local.endpoints import PageKind

RUN = "http://127.0.0.1:9411/metrics"


def say(machine: Any, uid: str, content: Any) -> Path:
    path: Path = machine.launcher.folder(uid).endpoint
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def found(machine: Any) -> list[tuple[str, str, int, str, str]]:
    return [
        (page.kind, page.job, page.attempt, page.address, page.path)
        for page in machine.store.run_pages()
    ]


def test_a_running_job_has_its_drivers_page_and_those_of_ray(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.submit(job_named("waits"))
    machine.rounds(2)
    assert found(machine) == []
    say(machine, uid, {"url": RUN, "port": 9411, "ray": ["http://[::1]:8090", "http://n2:8091/m"]})
    assert found(machine) == [
        (PageKind.RUNS, "demo", 1, "127.0.0.1:9411", "/metrics"),
        (PageKind.RAY, "demo", 1, "[::1]:8090", "/metrics"),
        (PageKind.RAY, "demo", 1, "n2:8091", "/m"),
    ]
    machine.until("demo", "Succeeded")
    assert found(machine) == []


def test_a_page_of_everywhere_is_asked_here(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(2)
    say(machine, uid, {"url": "http://0.0.0.0:9411/metrics"})
    assert [page[3] for page in found(machine)] == ["127.0.0.1:9411"]


def test_what_an_attempt_before_said_is_not_believed(machine: Any, job_named: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(2)
    path = say(machine, uid, {"url": RUN})
    launched = machine.launcher.folder(uid).launched(1).stat().st_mtime
    os.utime(path, (launched - 10, launched - 10))
    assert found(machine) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        {"url": ""},
        {"url": "https://h:1/metrics"},
        {"url": "http://h/metrics"},
        {"url": "http://u:p@h:1/metrics"},
        {"url": "http://h:99999999/metrics"},
        {"url": "http://[h:1"},
        {"url": 7},
        {"ray": "http://h:1"},
    ],
)
def test_what_is_no_page_is_left_out(machine: Any, job_named: Any, content: Any) -> None:
    uid = machine.submit(job_named("demo")).uid
    machine.rounds(2)
    say(machine, uid, content)
    assert found(machine) == []
