"""What can go wrong between a door and the store of jobs."""

from typing import ClassVar

from vppo_core.errors import VPPOError


class StoreError(VPPOError):
    """Root of these; `code` is one of the API's codes."""

    code: ClassVar[str] = "store_error"


class JobNotFoundError(StoreError):
    """There is no such job, checkpoint, webhook or delivery."""

    code = "not_found"


class NameTakenError(StoreError):
    """A living job has that name."""

    code = "name_taken"


class IdempotencyConflictError(StoreError):
    """The key was used with another job."""

    code = "idempotency_conflict"


class StaleVersionError(StoreError):
    """The job was changed since the caller read it."""

    code = "stale_version"


class NotAllowedNowError(StoreError):
    """The job is in a state in which this cannot be done."""

    code = "not_allowed_now"


class BadCursorError(StoreError):
    """A cursor that no reply gave."""

    code = "bad_cursor"


class CursorMismatchError(StoreError):
    """A cursor of a list with other filters."""

    code = "cursor_mismatch"


class StoreUnavailableError(StoreError):
    """The database is locked, full or away; nothing was written, try again."""

    code = "store_unavailable"
    retry_after_seconds: ClassVar[int] = 2
