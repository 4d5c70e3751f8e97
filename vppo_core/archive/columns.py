"""What a column holds: moments, text that every database takes, JSON."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since the epoch; exact, where a float would round."""
    return (moment - EPOCH) // MICROSECOND


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, kept as microseconds since the epoch: it sorts, and no zone is lost."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Microseconds."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """A moment with its zone."""
        return None if value is None else EPOCH + value * MICROSECOND


class CleanText(TypeDecorator[str]):
    """Text. Signs that a database refuses (NUL, half a surrogate pair) are replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """The same text without those signs."""
        if value is None:
            return None
        if not value.isascii():
            value = value.encode("utf-8", "replace").decode()
        return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")  # an enum too is text here


class Json(TypeDecorator[Any]):
    """A value as JSON text; never searched by the database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """JSON in ASCII: what is no plain text is escaped."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """The value."""
        return None if value is None else json.loads(value)
