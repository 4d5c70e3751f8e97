"""One request of the API: what is sent, and how its answer is read. Shared by both clients."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from vppo_core.errors import InvalidSpecError
from vppo_services.cli.client.problems import ApiProblem, Facts
from vppo_services.cli.client.sse import ServerEvent

Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)
Query = list[tuple[str, str | int | float | bool | None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no error."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Result]):
    """A request and the reading of its answer."""

    method: str
    path: str
    """Below the server's address."""

    read: Callable[[Reply], Result]
    query: Query = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    """Sent as JSON; None sends no body."""

    is_repeatable: bool = True
    """Whether it may be carried out twice without harm."""

    @property
    def content(self) -> bytes | None:
        """The body as it is sent."""
        if self.body is None:
            return None
        return json.dumps(self.body, ensure_ascii=False, allow_nan=False).encode()

    @property
    def all_headers(self) -> dict[str, str]:
        """Its own headers and those that follow from the body."""
        if self.body is None:
            return self.headers
        return {"content-type": "application/json", **self.headers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[Result]):
    """A stream and the reading of its events."""

    path: str
    read: Callable[[ServerEvent], Result | None]
    """None for an event that says nothing to the caller."""

    query: Query = field(default_factory=list)
    after: str = ""
    """Position to start behind; empty starts at the beginning."""

    tail: int | None = None
    """Start with so many of the last items; where the stream goes on, that is over."""


def segment(text: str | int) -> str:
    """A part of a path.

    Raises:
        InvalidSpecError: nothing, or a dot that would name another path.
    """
    if str(text) in ("", ".", ".."):
        raise InvalidSpecError(f"a name must not be empty or dots, got '{text}'; write the name")
    return quote(str(text), safe="")


def job_path(name: str, *more: str | int) -> str:
    """Path of a job, or of something below it."""
    return "/".join(("/jobs", segment(name), *(segment(part) for part in more)))


def reads(model: type[Model]) -> Callable[[Reply], Model]:
    """Reads an answer as a model; what this version does not know is left out."""

    def read(reply: Reply) -> Model:
        return parsed(model, reply.body)

    return read


def parsed(model: type[Model], text: bytes | str) -> Model:
    """A model from JSON.

    Raises:
        ApiProblem: it is something else.
    """
    try:
        return model.model_validate_json(text, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ApiProblem(
            f"the server must answer as this version of vppo does, got another {model.__name__} "
            f"({place}: {first['msg']}); use the same version on both sides",
            Facts(code="unreadable_answer"),
        ) from None


def nothing(_: Reply) -> None:
    """Reads an answer whose body says nothing."""


def mapping(reply: Reply) -> dict[str, Any]:
    """Reads an answer that is passed on as it is.

    Raises:
        ApiProblem: it is no JSON object.
    """
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ApiProblem(
            "the server must answer with a JSON object, got something else; check --server",
            Facts(code="unreadable_answer"),
        )
    return document
