"""Rows that may be there already."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, or_
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert_into(dialect: str, table: Table) -> Insert:
    """An INSERT that knows what to do about a row that is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or update those with the same primary key; equal ones are not written."""
    if rows:
        connection.execute(_upsert_into(connection.dialect.name, table), list(rows))


@lru_cache
def _upsert_into(dialect: str, table: Table) -> Insert:
    insert = insert_into(dialect, table)
    names = [column.name for column in table.c if not column.primary_key]
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: insert.excluded[name] for name in names},
        where=or_(*(table.c[name].is_distinct_from(insert.excluded[name]) for name in names)),
    )
