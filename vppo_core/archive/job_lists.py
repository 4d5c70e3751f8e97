"""Lists of jobs: for people page by page, for the loop all that there is to do."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    exists,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from vppo_core.archive.cursor import cursor_after, position_of
from vppo_core.archive.job_rows import RECORD_COLUMNS, record_of
from vppo_core.archive.records import JobQuery, JobRecord, Page
from vppo_core.archive.tables import IS_LEAVING, IS_LIVE, MAY_EXPIRE, job_tags, jobs
from vppo_core.archive.tags import tag
from vppo_core.archive.transactions import Database
from vppo_core.spec.status import JobPhase

_ENOUGH: Final = 1000
"""Rows behind which a filter counts as wide."""

Alternatives = tuple[str, ...]
"""Tags of which a job must have one."""


def list_jobs(db: Database, query: JobQuery) -> Page[JobRecord]:
    """A page of jobs, newest first.

    Raises:
        BadCursorError, CursorMismatchError.
    """
    conditions = _Conditions(query)
    with db.reading() as connection:
        keys = connection.execute(_keys(connection, conditions)).all()
        shown = keys[: query.limit]
        rows = connection.execute(
            select(*RECORD_COLUMNS).where(jobs.c.uid.in_([key.uid for key in shown]))
        ).mappings()
        found = {row["uid"]: record_of(row) for row in rows}
    has_more = len(keys) > len(shown) > 0
    return Page(
        items=tuple(found[key.uid] for key in shown),
        next_cursor=cursor_after((shown[-1].created, shown[-1].uid), query) if has_more else None,
    )


def active_jobs(db: Database) -> list[JobRecord]:
    """Jobs that are not final, or that are to be deleted and are not let go; oldest first."""
    # Two questions, each with an index that holds nothing else.
    queries = [select(*RECORD_COLUMNS).where(one) for one in (IS_LIVE, IS_LEAVING)]
    with db.reading() as connection:
        found = {
            row["uid"]: record_of(row)
            for query in queries
            for row in connection.execute(query).mappings()
        }
    return sorted(found.values(), key=lambda job: (job.created, job.uid))


def expirable_jobs(db: Database, now: datetime, limit: int) -> list[JobRecord]:
    """Final jobs whose files are still there although their time is over; longest over first."""
    query = (
        select(*RECORD_COLUMNS)
        .where(MAY_EXPIRE, jobs.c.expires <= now)
        .order_by(jobs.c.expires)
        .limit(limit)
    )
    with db.reading() as connection:
        return [record_of(row) for row in connection.execute(query).mappings()]


def count_by_phase(db: Database, phases: Collection[JobPhase]) -> dict[JobPhase, int]:
    """How many jobs are in each of these phases; it walks an index, a row for each job."""
    tags = {tag("phase", "", phase): phase for phase in phases}
    query = (
        select(job_tags.c.tag, func.count())
        .where(job_tags.c.tag.in_(tags))
        .group_by(job_tags.c.tag)
    )
    with db.reading() as connection:
        found = {tags[one]: count for one, count in connection.execute(query).all()}
    return {phase: found.get(phase, 0) for phase in phases}


def known_uids(db: Database, uids: Collection[str]) -> set[str]:
    """Those of the uids that are of jobs in the archive."""
    wanted, found = sorted(uids), set[str]()
    with db.reading() as connection:
        for start in range(0, len(wanted), _ENOUGH):
            some = wanted[start : start + _ENOUGH]
            query = select(jobs.c.uid).where(jobs.c.uid.in_(some))
            found |= set(connection.execute(query).scalars())
    return found


class _Conditions:
    """The filters of a query, and where its page begins."""

    def __init__(self, query: JobQuery) -> None:
        self.page = query.limit + 1  # one more tells whether there is a next page
        self.position = position_of(query)
        self.created_after = query.created_after
        self.name_contains = query.name_contains
        self.tags: list[Alternatives] = [
            (tag(kind, key, value),)
            for kind, pairs in (("label", query.labels), ("annotation", query.annotations))
            for key, value in pairs
        ]
        for kind, value in (
            ("namespace", query.namespace),
            ("owner", query.owner),
            ("queue", query.queue),
        ):
            if value is not None:
                self.tags.append((tag(kind, "", value),))
        if query.phases:
            self.tags.append(
                tuple(tag("phase", "", phase) for phase in dict.fromkeys(query.phases))
            )

    def on(self, table: FromClause) -> list[ColumnElement[bool]]:
        """What columns `created` and `uid` alone decide."""
        found: list[ColumnElement[bool]] = []
        if self.position is not None:
            found.append(tuple_(table.c.created, table.c.uid) < tuple_(*self._bound(table)))
        if self.created_after is not None:
            found.append(table.c.created > self.created_after)
        return found

    def _bound(self, table: FromClause) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        assert self.position is not None
        created, uid = self.position
        return literal(created, table.c.created.type), literal(uid, table.c.uid.type)


def _keys(connection: Connection, conditions: _Conditions) -> Select[Any]:
    """The page's (created, uid), and the one behind it.

    The narrowest filter is walked, newest first; the others are looked up for each of its jobs.
    """
    if not conditions.tags:
        walked: list[Select[Any]] = [_walk(jobs, conditions, ())]
    else:
        narrow = _narrowest(connection, conditions.tags)
        others = [one for one in conditions.tags if one is not narrow]
        walked = [
            _walk(job_tags, conditions, others).where(job_tags.c.tag == one) for one in narrow
        ]
    if len(walked) == 1:
        return walked[0]
    # Each phase by itself is sorted already; all of them together would be sorted anew.
    both = union_all(*(select(one.subquery()) for one in walked)).subquery()
    return select(both).order_by(both.c.created.desc(), both.c.uid.desc()).limit(conditions.page)


def _walk(
    table: FromClause, conditions: _Conditions, others: Sequence[Alternatives]
) -> Select[Any]:
    query = select(table.c.created, table.c.uid).where(*conditions.on(table))
    for alternatives in others:
        also = job_tags.alias()
        query = query.where(
            exists().where(
                also.c.tag.in_(alternatives),
                also.c.created == table.c.created,
                also.c.uid == table.c.uid,
            )
        )
    if conditions.name_contains:
        query = query.where(_has_name(table, conditions.name_contains))
    return query.order_by(table.c.created.desc(), table.c.uid.desc()).limit(conditions.page)


def _has_name(table: FromClause, part: str) -> ColumnElement[bool]:
    # Names are in lower case; LIKE tells cases apart on one database and not on the other.
    matches = jobs.c.name.contains(part.lower(), autoescape=True)
    if table is jobs:
        return matches
    return exists().where(jobs.c.uid == table.c.uid, matches)


def _narrowest(connection: Connection, tags: Sequence[Alternatives]) -> Alternatives:
    if len(tags) == 1:
        return tags[0]
    return min(tags, key=lambda alternatives: _count(connection, alternatives))


def _count(connection: Connection, alternatives: Alternatives) -> int:
    some = select(literal(1)).where(job_tags.c.tag.in_(alternatives)).limit(_ENOUGH).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()
