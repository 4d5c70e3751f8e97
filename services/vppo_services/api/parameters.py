"""Parameters that many routes take."""

from typing import Annotated

from fastapi import Path, Query

JobName = Annotated[
    str,
    Path(
        max_length=63,
        # No more than a name can hold: what is no name cannot upset a database either.
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the job; the newest one that has it.",
    ),
]

Namespace = Annotated[
    str | None,
    Query(
        alias="namespace",
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Namespace of a cluster; the server's own one if it is left out.",
    ),
]

JobUid = Annotated[
    str | None,
    Query(
        max_length=64,
        pattern=r"^[-A-Za-z0-9]+$",
        description="Identity of the job, for an older one of that name.",
    ),
]
