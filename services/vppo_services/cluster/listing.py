"""Pages of jobs: those of the archive, and between them those that it does not have yet."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from vppo_core.archive.cursor import cursor_after, position_of
from vppo_core.archive.database import Database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.job_lists import known_uids, list_jobs
from vppo_core.archive.records import JobQuery, JobRecord, Page
from vppo_core.kube.api import KubeObject
from vppo_services.cluster.live import LiveJobs
from vppo_services.cluster.objects import meta_of, record_of


def page_of(db: Database, live: LiveJobs, query: JobQuery, *, namespace: str) -> Page[JobRecord]:
    """A page of a namespace's jobs, newest first.

    The operator writes every job into the archive; what it has not written yet is seconds old, or
    the operator is away. Without an API server the page is that of the archive.

    Raises:
        BadCursorError, CursorMismatchError, StoreUnavailableError.
    """
    query = replace(query, namespace=namespace)
    page = list_jobs(db, query)
    try:
        objects = live.list(namespace)
    except StoreUnavailableError:
        return page
    return merged(page, unarchived(db, objects), query)


def unarchived(db: Database, objects: Sequence[KubeObject]) -> list[JobRecord]:
    """The objects that the archive does not have, as records."""
    by_uid = {str(meta_of(one).get("uid", "")): one for one in objects}
    known = known_uids(db, by_uid)
    return [record_of(one) for uid, one in by_uid.items() if uid not in known]


def merged(page: Page[JobRecord], more: Iterable[JobRecord], query: JobQuery) -> Page[JobRecord]:
    """The page with those of the other jobs that belong on it. Pure."""
    start = position_of(query)
    end = _key(page.items[-1]) if page.next_cursor is not None else None
    extra = [
        one
        for one in more
        if matches(one, query)
        and (start is None or _key(one) < start)
        and (end is None or _key(one) > end)
    ]
    if not extra:
        return page
    items = sorted((*page.items, *extra), key=_key, reverse=True)
    shown = items[: query.limit]
    has_more = page.next_cursor is not None or len(items) > len(shown)
    cursor = cursor_after(_key(shown[-1]), query) if has_more else None
    return Page(items=tuple(shown), next_cursor=cursor)


def matches(record: JobRecord, query: JobQuery) -> bool:
    """Whether a job passes the filters of a list, as the archive applies them. Pure."""
    return (
        (not query.phases or record.phase in query.phases)
        and query.owner in (None, record.owner)
        and query.queue in (None, _queue(record))
        and all(record.labels.get(name) == value for name, value in query.labels)
        and all(record.annotations.get(name) == value for name, value in query.annotations)
        and (query.created_after is None or record.created > query.created_after)
        and (query.name_contains or "").lower() in record.name
    )


def _queue(record: JobRecord) -> str:
    """Where the job waits: what its spec says until the status knows better."""
    scheduling = json.loads(record.spec_json).get("scheduling") or {}
    return record.status.queue.name or str(scheduling.get("queue", ""))


def _key(record: JobRecord) -> tuple[datetime, str]:
    return record.created, record.uid
