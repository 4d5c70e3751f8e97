"""Requests about what jobs left behind, and about the installation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vppo_services.cli.client.calls import (
    Call,
    Query,
    Reply,
    job_path,
    mapping,
    nothing,
    reads,
    segment,
)
from vppo_services.cli.client.shapes import (
    Artifact,
    Attempt,
    Checkpoint,
    Delivery,
    EventPage,
    Explanation,
    Items,
    LogPage,
    MetricsPage,
    Pools,
    Queue,
    UsageRow,
    Webhook,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which log lines are wanted; empty means all."""

    level: str = ""
    """This level, such as `warning`, and more serious ones."""

    attempt: int | None = None

    def query(self) -> Query:
        """As parameters of a request."""
        level: Query = [("level", self.level)] if self.level else []
        return level + ([("attempt", self.attempt)] if self.attempt is not None else [])


ALL_LINES: Final = LogFilter()


def events(name: str, *, after: str, limit: int) -> Call[EventPage]:
    """A page of a job's history."""
    return _get(job_path(name, "events"), EventPage, _after(after, limit))


def metrics(name: str, *, after: str, limit: int) -> Call[MetricsPage]:
    """A page of numbers."""
    return _get(job_path(name, "metrics"), MetricsPage, _after(after, limit))


def logs(
    name: str, *, after: str, limit: int, wanted: LogFilter, tail: int | None
) -> Call[LogPage]:
    """A page of log lines."""
    query = [*_after(after, limit), *wanted.query(), *([("tail", tail)] if tail else [])]
    return _get(job_path(name, "logs"), LogPage, query)


def attempts(name: str) -> Call[Items[Attempt]]:
    """All attempts."""
    return _get(job_path(name, "attempts"), Items[Attempt])


def checkpoints(name: str) -> Call[Items[Checkpoint]]:
    """Checkpoints that exist."""
    return _get(job_path(name, "checkpoints"), Items[Checkpoint])


def promote(name: str, step: int) -> Call[None]:
    """Keep a checkpoint for good."""
    return Call(method="POST", path=f"{job_path(name, 'checkpoints', step)}:promote", read=nothing)


def delete_checkpoint(name: str, step: int) -> Call[None]:
    """Remove a checkpoint."""
    return Call(method="DELETE", path=job_path(name, "checkpoints", step), read=nothing)


def artifacts(name: str) -> Call[Items[Artifact]]:
    """Files that the run left behind."""
    return _get(job_path(name, "artifacts"), Items[Artifact])


def artifact(name: str, path: str) -> Call[bytes]:
    """The bytes of one of them."""
    parts = path.split("/")
    return Call(method="GET", path=job_path(name, "artifacts", *parts), read=_body)


def explain(name: str) -> Call[Explanation]:
    """Why a job waits, or what it is doing."""
    return _get(job_path(name, "explain"), Explanation)


def document(*parts: str) -> Call[dict[str, Any]]:
    """An answer that is passed on as it is, such as a manifest or a schema."""
    path = "/".join(("", *(segment(part) for part in parts)))
    return Call(method="GET", path=path, read=mapping)


def usage(*, start: datetime | None, end: datetime | None, group_by: str) -> Call[Items[UsageRow]]:
    """GPU-seconds by `job`, `owner`, `queue` or `day`."""
    query: Query = [("groupBy", group_by)]
    query += [("from", start.isoformat())] if start else []
    query += [("to", end.isoformat())] if end else []
    return _get("/usage", Items[UsageRow], query)


def queues() -> Call[Items[Queue]]:
    """Queues and how full they are."""
    return _get("/queues", Items[Queue])


def pools() -> Call[Pools]:
    """Pools of the installation."""
    return _get("/pools", Pools)


def webhooks() -> Call[Items[Webhook]]:
    """The caller's webhooks."""
    return _get("/webhooks", Items[Webhook])


def create_webhook(url: str, *, events: tuple[str, ...], secret: str) -> Call[Webhook]:
    """Tell a place of events from now on."""
    body: dict[str, Any] = {"url": url, "events": list(events)}
    if secret:
        body["secret"] = secret
    # Sent twice, it would make two.
    return Call(
        method="POST", path="/webhooks", read=reads(Webhook), body=body, is_repeatable=False
    )


def delete_webhook(webhook: str) -> Call[None]:
    """Stop telling it."""
    return Call(method="DELETE", path=f"/webhooks/{segment(webhook)}", read=nothing)


def deliveries(webhook: str) -> Call[Items[Delivery]]:
    """Messages to a webhook, newest first."""
    return _get(f"/webhooks/{segment(webhook)}/deliveries", Items[Delivery])


def redeliver(webhook: str, number: int) -> Call[None]:
    """Send a message once more."""
    path = f"/webhooks/{segment(webhook)}/deliveries/{number}:redeliver"
    return Call(method="POST", path=path, read=nothing, is_repeatable=False)


def _get(path: str, model: Any, query: Query | None = None) -> Call[Any]:
    return Call(method="GET", path=path, read=reads(model), query=query or [])


def _after(after: str, limit: int) -> Query:
    return [("limit", str(limit)), *([("after", after)] if after else [])]


def _body(reply: Reply) -> bytes:
    return reply.body
