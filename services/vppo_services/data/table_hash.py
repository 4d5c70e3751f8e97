"""One hash for the rows of a data set."""

import hashlib
import json
from typing import Any, Final

from vppo_services.data.rows import BadRowError
from vppo_services.data.tables import Table

MAX_HASHED_ROWS: Final = 256


def table_fingerprint(table: Table) -> str:
    """Hex sha256 of a data set: how many rows, their columns, and 256 of them, evenly spread.

    It is cheap and does not depend on where the data lies. Of an image that is a path, the path
    counts and not the file.
    """
    count = len(table)
    digest = hashlib.sha256(json.dumps([count, list(table.columns)]).encode())
    for index in sorted({i * (count - 1) // MAX_HASHED_ROWS for i in range(MAX_HASHED_ROWS + 1)}):
        try:
            record: Any = table.record(index)
        except BadRowError as error:
            record = str(error)
        digest.update(json.dumps(record, sort_keys=True, default=_hashed).encode())
    return digest.hexdigest()


def _hashed(value: Any) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)
