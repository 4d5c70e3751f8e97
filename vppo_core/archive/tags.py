"""What a list of jobs can be filtered by, as rows of one table with one index.

The index of `job_tags` is (tag, created, uid): every filter reads its jobs newest first, without
sorting, and two filters meet by looking up the second one's row.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert

from vppo_core.archive.tables import job_tags

_INSERT: Final = insert(job_tags)


def tag(kind: str, key: str, value: str) -> str:
    """Half of a SHA-256: as short for a long annotation as for a phase.

    Args:
        kind: `namespace`, `phase`, `queue`, `owner`, `label` or `annotation`.
        key: name of the label or annotation; empty for the others.
    """
    digest = hashlib.sha256("\0".join((kind, key, value)).encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest[:15]).decode()


def tags_of(
    *,
    namespace: str,
    owner: str,
    queue: str,
    phase: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> frozenset[str]:
    """All tags of a job."""
    plain = (
        tag(kind, "", value)
        for kind, value in (
            ("namespace", namespace),
            ("owner", owner),
            ("queue", queue),
            ("phase", phase),
        )
    )
    named = (
        tag(kind, key, value)
        for kind, pairs in (("label", labels), ("annotation", annotations))
        for key, value in pairs.items()
    )
    return frozenset((*plain, *named))


def write_tags(
    connection: Connection,
    uid: str,
    created: datetime,
    *,
    before: frozenset[str],
    after: frozenset[str],
) -> None:
    """Make the rows of a job what they must be."""
    gone, new = before - after, after - before
    if gone:
        connection.execute(
            delete(job_tags).where(
                job_tags.c.tag.in_(sorted(gone)),
                job_tags.c.created == created,
                job_tags.c.uid == uid,
            )
        )
    if new:
        rows = [{"tag": one, "created": created, "uid": uid} for one in sorted(new)]
        connection.execute(_INSERT, rows)
