"""A row of a data set, and why a row may be set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

from vppo_core.errors import VPPOError


class BadReason(StrEnum):
    """Why a row cannot be trained on; the label of the counter and of the quarantine file."""

    CORRUPT_IMAGE = "corrupt_image"
    MISSING_IMAGE = "missing_image"
    REFUSED_IMAGE = "refused_image"
    IMAGE_COUNT = "image_count"
    EMPTY_PROBLEM = "empty_problem"
    EMPTY_ANSWER = "empty_answer"
    TOO_LONG = "too_long"
    SPECIAL_TOKEN = "special_token"
    BAD_TYPE = "bad_type"
    UNREADABLE = "unreadable"


class BadPromptError(ValueError):
    """A text and its images which the processor cannot join: `BadPromptError(reason, detail)`."""

    @property
    def reason(self) -> BadReason:
        """The kind of fault."""
        return cast(BadReason, self.args[0])

    @property
    def detail(self) -> str:
        """What exactly was found, as a sentence."""
        return str(self.args[1])


class BadRowError(VPPOError, ValueError):
    """A row to be set aside: `BadRowError(uid, reason, detail)`.

    All three are plain arguments, so the error crosses a process boundary unchanged.
    """

    @property
    def uid(self) -> str:
        """Name of the row in its source."""
        return str(self.args[0])

    @property
    def reason(self) -> BadReason:
        """The kind of fault."""
        return cast(BadReason, self.args[1])

    @property
    def detail(self) -> str:
        """What exactly was found, as a sentence."""
        return str(self.args[2])

    def __str__(self) -> str:
        return f"row {self.uid} is set aside ({self.reason}): {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question with its images and answer, as the data set has them."""

    uid: str
    """Stable name of the row in its source."""

    problem: str
    """The question, with `<image>` where each image stands."""

    images: Sequence[bytes]
    """Encoded image files, in the order of the text; empty for a question without images."""

    answer: str
    """The right answer."""


class RowSource(Protocol):
    """A data set that is read row by row; nothing but the row asked for is in memory."""

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def __getitem__(self, index: int) -> Row:
        """The row at `index`, from 0 to `len - 1`.

        Raises:
            BadRowError: this row cannot be used; the others still can.
        """
        ...

    def fingerprint(self) -> str:
        """Hash of the rows, the same wherever they lie."""
        ...


def as_text(uid: str, name: str, value: object) -> str:
    """`value` when it is text that can be encoded.

    Raises:
        BadRowError: of another type, or with half a surrogate pair in it.
    """
    if not isinstance(value, str):
        raise BadRowError(
            uid, BadReason.BAD_TYPE, f"the {name} must be text, got {type(value).__name__}"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRowError(
            uid, BadReason.BAD_TYPE, f"the {name} holds half a character ({error.reason})"
        ) from error
    return value
