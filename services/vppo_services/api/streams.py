"""Routes of what grows: events, metrics and logs, as pages of JSON or as streams, by `Accept`."""

from functools import partial
from typing import Annotated, Any, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from vppo_core.archive.records import JobRecord
from vppo_services.api.auth import Access
from vppo_services.api.deps import AppStoreDep, Caller, StoreDep, allowed, permit
from vppo_services.api.errors import ApiError
from vppo_services.api.feeds import (
    EVENTS,
    LOGS,
    METRICS,
    Batch,
    Feed,
    Filter,
    LogLevel,
    read_page,
    read_tail,
    to_json,
)
from vppo_services.api.limits import get_slots
from vppo_services.api.parameters import JobName, JobUid
from vppo_services.api.reader import Start, read_stream
from vppo_services.api.sse import EventStream
from vppo_services.api.tail import Tails

router = APIRouter(tags=["streams"])

Reader = Annotated[Caller, Depends(allowed("get", "vppojobs"))]
LogReader = Annotated[Caller, Depends(allowed("get", "vppojobs/log"))]
After = Annotated[
    str | None,
    Query(max_length=128, description="Position behind what is there already: `nextAfter`."),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")]
EVENT_STREAM: Final = "text/event-stream"


_NEXT: Final = {
    "type": "string",
    "description": "Position behind the items: send it as `after` for the next ones. "
    "Nothing is new when it equals the position that was sent.",
}
_IS_RESET: Final = {
    "type": "boolean",
    "description": "Whether the position sent is gone: the items start at the beginning.",
}


async def get_tails(request: Request, store: AppStoreDep) -> Tails:
    """The followers of the application, made at their first use."""
    state = request.app.state
    if not hasattr(state, "tails"):
        state.tails = Tails(store)
    tails: Tails = state.tails
    return tails


class Asked:
    """What all three routes take."""

    def __init__(
        self,
        request: Request,
        tails: Annotated[Tails, Depends(get_tails)],
        store: StoreDep,
        name: JobName,
        uid: JobUid = None,
        after: After = None,
        limit: Limit = 100,
        last_event_id: Annotated[
            str | None,
            Header(max_length=128, description="For streams: the last `id`, before `after`."),
        ] = None,
    ) -> None:
        self.request, self.tails, self.store, self.name, self.uid = request, tails, store, name, uid
        self.after, self.limit, self.last_event_id = after or "", limit, last_event_id or ""

    @property
    def is_stream(self) -> bool:
        """Whether the client takes a stream."""
        return EVENT_STREAM in self.request.headers.get("accept", "")

    async def reply(
        self, feed: Feed, caller: Caller, *, wanted: Filter | None = None, tail: int | None = None
    ) -> Response:
        """A page or a stream of one kind of one job.

        Raises:
            ApiError, StoreError: also while a stream opens, before anything is sent.
        """
        wanted = wanted or Filter()
        record = await anyio.to_thread.run_sync(self._record)
        if self.is_stream:
            await permit(caller, Access("watch", "vppojobs", record.namespace))
            start = Start(
                position=self.last_event_id or self.after,
                is_reconnect=bool(self.last_event_id),
                # A client that comes back has the last lines already.
                tail=None if self.last_event_id else tail,
            )
            chunks = read_stream(self.tails, feed, record, start=start, wanted=wanted)
            return EventStream(chunks, hold=partial(get_slots(self.request).hold, caller))
        batch = await anyio.to_thread.run_sync(partial(self._page, feed, record.uid, wanted, tail))
        return Response(
            _page_json(batch, has_reset=feed is not EVENTS),
            media_type="application/json",
            headers={"Vary": "Accept", "Cache-Control": "no-store"},
        )

    def _record(self) -> JobRecord:
        record = self.store.get(self.name, uid=self.uid)
        return self.store.recorded(record) if self.is_stream else record

    def _page(self, feed: Feed, uid: str, wanted: Filter, tail: int | None) -> Batch:
        store = self.tails.store
        if tail is not None:
            return read_tail(feed, store, uid, count=tail, wanted=wanted)
        return read_page(feed, store, uid, after=self.after, limit=self.limit, wanted=wanted)


def _page_json(batch: Batch, *, has_reset: bool) -> bytes:
    """Spliced: every item is JSON already."""
    end = b',"nextAfter":' + to_json(batch.end)
    reset = b',"isReset":' + to_json(batch.is_reset) if has_reset else b""
    return b'{"items":[' + b",".join(item.text for item in batch.items) + b"]" + end + reset + b"}"


def _documented(item: dict[str, Any], *, has_reset: bool = True) -> dict[int | str, dict[str, Any]]:
    """OpenAPI of a route that answers both ways."""
    properties: dict[str, Any] = {
        "items": {"type": "array", "items": {"type": "object", "properties": item}},
        "nextAfter": _NEXT,
    }
    if has_reset:
        properties["isReset"] = _IS_RESET
    page = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        200: {
            "description": "A page, or a stream where `Accept` has `text/event-stream`.",
            "content": {
                "application/json": {"schema": page},
                EVENT_STREAM: {"schema": {"type": "string"}},
            },
        }
    }


_TEXT: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_TIME: Final = {"type": "string", "format": "date-time"}


@router.get(
    "/jobs/{name}/events",
    response_class=Response,
    summary="Events of a job",
    responses=_documented(
        {
            "seq": _INTEGER,
            "time": _TIME,
            "actor": _TEXT,
            "kind": _TEXT,
            "reason": _TEXT,
            "message": _TEXT,
            "payload": {"type": "object"},
        },
        has_reset=False,
    ),
)
async def get_events(asked: Annotated[Asked, Depends()], caller: Reader) -> Response:
    """What happened to the job and who did it, oldest first.

    The stream has `status` (the whole status: at the start, and when more than the progress
    changed), `progress` (when it changed), `event`, and at the end of the job `end`. It begins with
    `reset` when the position sent is not one of this job any more.
    """
    return await asked.reply(EVENTS, caller)


@router.get(
    "/jobs/{name}/metrics",
    response_class=Response,
    summary="Numbers of a job's steps",
    responses=_documented(
        {
            "step": _INTEGER,
            "time": _TIME,
            "values": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
        }
    ),
)
async def get_metrics(asked: Annotated[Asked, Depends()], caller: Reader) -> Response:
    """Values by metric, oldest first; a step may come in several items, later ones win.

    The stream has `metric` and at the end of the job `end`; `reset` means that a resumed attempt
    goes on from an earlier step: forget everything, it comes again.
    """
    return await asked.reply(METRICS, caller)


@router.get(
    "/jobs/{name}/logs",
    response_class=Response,
    summary="Log lines of a job",
    responses=_documented(
        {
            "time": _TEXT,
            "level": _TEXT,
            "role": _TEXT,
            "attempt": _INTEGER,
            "step": {"type": ["integer", "null"]},
            "message": _TEXT,
        }
    ),
)
async def get_logs(
    asked: Annotated[Asked, Depends()],
    caller: LogReader,
    level: Annotated[
        LogLevel | None, Query(description="This level and more serious ones.")
    ] = None,
    attempt: Annotated[int | None, Query(ge=1, le=10**6, description="Of this attempt.")] = None,
    tail: Annotated[
        int | None, Query(ge=1, le=1000, description="Begin with so many of the last lines.")
    ] = None,
) -> Response:
    """Lines of all processes of the job, oldest first.

    A page with `level` or `attempt` may hold fewer lines than `limit` and still have a next one.
    The stream has `log`, `reset` and at the end of the job `end`.
    """
    if tail is not None and asked.after:
        raise ApiError(
            422,
            "invalid_request",
            "tail and after must not be given together; leave one out",
            param="tail",
        )
    return await asked.reply(LOGS, caller, wanted=Filter(level, attempt), tail=tail)
