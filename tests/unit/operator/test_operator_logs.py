"""Lines of a look at a job name the job, its attempt and the request that made it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from tests.unit.operator.reconcile_bench import Bench
from vppo_core.archive.database import Database
from vppo_core.archive.jobs import get_job
from vppo_core.kube.errors import KubeForbiddenError
from vppo_core.kube.kinds import CONFIG_MAPS, EVENTS, RAY_JOBS, VPPO_JOBS
from vppo_core.logs import send_to
from vppo_core.spec.origin import REQUEST_ID
from vppo_operator.looking import look_at


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    send_to(stream, role="operator", style="json", level=logging.INFO, only_ours=False)
    yield stream
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
    root.setLevel(level)


def test_a_line_leads_back_to_the_request(bench: Bench, stream: io.StringIO) -> None:
    bench.submit()
    bench.server.store.patch(
        VPPO_JOBS, "team", "demo", {"metadata": {"annotations": {REQUEST_ID: "build-7"}}}
    )
    bench.server.fail_next(KubeForbiddenError("quota"), kind=RAY_JOBS, verb="create")
    bench.server.fail_next(KubeForbiddenError("no"), kind=EVENTS)
    look_at(bench.operator, ("team", "demo"))
    look_at(bench.operator, ("team", "demo"))
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert said
    for line in said:
        about = (line["namespace"], line["job"], line["request"], line["role"])
        assert about == ("team", "demo", "build-7", "operator")
    assert any(line["attempt"] == 1 for line in said), said


def test_an_attempt_and_its_record_carry_the_request(bench: Bench, db: Database) -> None:
    bench.submit()
    bench.server.store.patch(
        VPPO_JOBS, "team", "demo", {"metadata": {"annotations": {REQUEST_ID: "build-7"}}}
    )
    look_at(bench.operator, ("team", "demo"))
    told = bench.server.store.get(CONFIG_MAPS, "team", "demo-a1")
    assert told is not None
    assert json.loads(told["data"]["attempt.json"])["request"] == "build-7"
    uid = bench.job["metadata"]["uid"]
    assert get_job(db, "", uid=uid).annotations == {REQUEST_ID: "build-7"}
