"""One Event for each thing that happened; the same thing again makes a series of it."""

from datetime import UTC, datetime
from typing import Any

from tests.sim.kube_server import SimulatedServer
from vppo_core.kube.errors import KubeForbiddenError
from vppo_core.kube.kinds import EVENTS
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.spec.origin import REQUEST_ID
from vppo_operator.events import EventWriter

JOB: dict[str, Any] = {
    "apiVersion": "vppo.io/v1alpha1",
    "kind": "VPPOJob",
    "metadata": {"name": "demo", "namespace": "default", "uid": "u1"},
}
RUNNING = JobEvent(kind="Normal", reason="Running", message="Attempt 1 took its first step.")


def writer(server: SimulatedServer) -> EventWriter:
    return EventWriter(
        server, lambda: datetime(2026, 11, 24, 12, 0, 0, 5, tzinfo=UTC), instance="pod-1"
    )


def test_an_event_is_about_the_job() -> None:
    server = SimulatedServer()
    writer(server).write(JOB, [RUNNING])
    (event,) = server.store.list(EVENTS)
    assert event["regarding"]["uid"] == "u1"
    assert (event["type"], event["reason"], event["note"]) == (
        "Normal",
        "Running",
        RUNNING.message,
    )
    assert event["eventTime"] == "2026-11-24T12:00:00.000005Z"
    assert event["action"]
    assert event["reportingController"] == "vppo.io/operator"


def test_an_event_names_the_request_that_made_the_job() -> None:
    server = SimulatedServer()
    head = {**JOB["metadata"], "annotations": {REQUEST_ID: "build-7", "note": "x"}}
    writer(server).write({**JOB, "metadata": head}, [RUNNING])
    (event,) = server.store.list(EVENTS)
    assert event["metadata"]["annotations"] == {REQUEST_ID: "build-7"}


def test_the_same_again_is_counted_and_another_message_is_another_event() -> None:
    server = SimulatedServer()
    events = writer(server)
    for _ in range(3):
        events.write(JOB, [RUNNING])
    (event,) = server.store.list(EVENTS)
    assert event["series"]["count"] == 3
    events.write(JOB, [JobEvent(kind="Normal", reason="Running", message="Attempt 2 did.")])
    assert len(server.store.list(EVENTS)) == 2


def test_a_note_is_cut_at_what_the_server_takes() -> None:
    server = SimulatedServer()
    writer(server).write(JOB, [JobEvent(kind="Warning", reason="Failed", message="ä" * 1000)])
    (event,) = server.store.list(EVENTS)
    assert len(event["note"].encode()) == 1024


def test_events_that_cannot_be_written_stop_nothing() -> None:
    server = SimulatedServer()
    server.fail_next(KubeForbiddenError("no"), kind=EVENTS)
    writer(server).write(JOB, [RUNNING, JobEvent(kind="Normal", reason="Paused", message="Yes.")])
    assert [one["reason"] for one in server.store.list(EVENTS)] == ["Paused"]
