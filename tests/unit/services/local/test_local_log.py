"""What the loop logs of a job."""

import io
import json
import logging
from typing import Any

from vppo_core.logs import JsonFormatter


def test_lines_about_a_job_name_it_and_the_request_that_made_it(
    machine: Any, job_named: Any
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(role="serve"))
    log = logging.getLogger("vppo_services.local")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        machine.store.create(job_named("demo"), owner="ann", request_id="build-7")
        machine.round()
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
    [line] = [json.loads(text) for text in stream.getvalue().splitlines()]
    names = ("role", "namespace", "job", "attempt", "request")
    assert [line[name] for name in names] == ["serve", "default", "demo", 1, "build-7"]
    [driver] = machine.processes.drivers
    told = json.loads(driver.run.job.read_text())["metadata"]["annotations"]
    assert told == {"vppo.io/request-id": "build-7"}
