"""Requests that the framework refuses, in the words of this program."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from vppo_core.spec.fields import nearest
from vppo_core.spec.wording import shown
from vppo_services.api.errors import ApiError, invalid

_BRACKETS: Final = re.compile(r"^(\w+)\[.+\]$", re.DOTALL)


def http_problem(request: Request, error: Exception) -> ApiError:
    """No such path, no such method, and what else the framework says by itself."""
    assert isinstance(error, HTTPException), f"nobody converts {type(error).__name__}"
    path = request.scope["path"]
    if error.status_code == 404:
        return no_such_route(path)
    if error.status_code == 405:
        return wrong_method(request)
    if error.status_code == 400:
        # The framework could not read the body, which is not even text.
        sentence = "the body must be JSON in UTF-8, got other bytes; is it the right file?"
        return ApiError(422, "invalid_request", sentence, param="body")
    return ApiError(
        error.status_code,
        "malformed_request",
        f"a request must be one that can be answered, got: {error.detail}; correct it",
        headers=dict(error.headers or {}),
    )


def no_such_route(path: str) -> ApiError:
    """The reply where nothing is."""
    cure = "GET /schema/openapi lists all paths"
    if len(path) > 1 and path.endswith("/"):
        cure = "leave out the / at its end"
    return ApiError(
        404, "no_such_route", f"a path must be one of this API, got {path[:128]!r}; {cure}"
    )


def wrong_method(request: Request) -> ApiError:
    """The reply for a path that is there, asked for in another way."""
    methods = methods_of(request.app, request.scope["path"])
    return ApiError(
        405,
        "method_not_allowed",
        f"the method must be {' or '.join(methods)} here, got {request.method[:16]}; "
        "GET /schema/openapi says what each does",
        headers={"Allow": ", ".join(methods)},
    )


def methods_of(app: FastAPI, path: str) -> list[str]:
    """Methods of the routes at a path. `x:pause` is no job's name: where routes end with the verb,
    they alone count."""
    found = [
        route
        for route in app.routes
        if hasattr(route, "path_regex") and route.path_regex.match(path)
    ]
    last = path.rpartition("/")[2]
    verb = last.rpartition(":")[2] if ":" in last else ""
    verbs = [route for route in found if verb and getattr(route, "path", "").endswith(f":{verb}")]
    methods: set[str] = set()
    for route in verbs or found:
        methods |= getattr(route, "methods", None) or set()
    return sorted(methods)


def validation_problem(request: Request, error: Exception) -> ApiError:
    """Parameters, headers or a body that break a rule."""
    assert isinstance(error, RequestValidationError), f"nobody converts {type(error).__name__}"
    details = error.errors()
    is_path = any(one["loc"][:1] == ("path",) for one in details)
    if is_path and request.method not in methods_of(request.app, request.scope["path"]):
        return wrong_method(request)
    return invalid("invalid_request", [(_param(one), _sentence(one)) for one in details])


async def known_parameters(request: Request) -> None:
    """A dependency that refuses a query parameter that the route does not have: a typo in a
    filter would show everything.

    Raises:
        ApiError: 422.
    """
    if not request.scope["query_string"]:
        return
    known = _names_of(request.scope["route"])
    unknown = [
        name
        for name in request.query_params
        if name not in known and _BRACKETS.sub(r"\1[]", name) not in known
    ]
    if unknown:
        broken = [(name[:128], _unknown(name[:128], known)) for name in dict.fromkeys(unknown)]
        raise invalid("invalid_request", broken[:16])


def _names_of(route: APIRoute) -> frozenset[str]:
    names = {param.alias for param in get_flat_dependant(route.dependant).query_params}
    for param in (route.openapi_extra or {}).get("parameters", ()):
        names.add(f"{param['name']}[]" if param.get("style") == "deepObject" else param["name"])
    return frozenset(names)


def _unknown(name: str, known: frozenset[str]) -> str:
    near = nearest(name, known)
    if near is not None:
        cure = f"did you mean {near}?"
    elif known:
        cure = f"use {', '.join(sorted(known))}, or leave it out"
    else:
        cure = "leave it out"
    return f"{name} is not a parameter of this path; {cure}"


def _param(details: Mapping[str, Any]) -> str:
    place, *names = details["loc"]
    if place == "body" and details["type"] == "json_invalid":
        return "body"
    if place == "header":
        return "-".join(part.capitalize() for part in str(names[0]).split("-"))
    return ".".join(str(name) for name in names) or str(place)


def _sentence(details: Mapping[str, Any]) -> str:
    word = _WORDS.get(details["type"])
    if word is not None:
        rule, cure = word(details)
    else:
        rule = details["msg"][:1].lower() + details["msg"][1:]
        rule, cure = f"is not accepted ({rule})", "correct it"
    got = "" if details["type"] in ("missing", "json_invalid") else f", got {_shown(details)}"
    return f"{_param(details)} {rule}{got}; {cure}"


def _shown(details: Mapping[str, Any]) -> str:
    value = details["input"]
    is_number = details["type"].startswith(("greater_", "less_"))
    # In a query string every value is text.
    return str(value)[:32] if is_number else shown(value)


_Word = Callable[[Mapping[str, Any]], tuple[str, str]]


def _bound(text: str, key: str, cure: str) -> _Word:
    return lambda details: (f"must be {text} {details['ctx'][key]}", cure)


def _length(text: str, key: str, cure: str) -> _Word:
    return lambda details: (f"must have {text} {details['ctx'][key]} characters", cure)


def _fixed(rule: str, cure: str) -> _Word:
    return lambda _details: (rule, cure)


def _choices(details: Mapping[str, Any]) -> tuple[str, str]:
    expected = str(details["ctx"]["expected"])
    near = nearest(str(details["input"]), re.findall(r"'([^']+)'", expected))
    return f"must be {expected}", f"did you mean '{near}'?" if near else "choose one of these"


def _words() -> Iterator[tuple[str, _Word]]:
    for kind in ("int_parsing", "int_type", "int_from_float", "int_parsing_size"):
        yield kind, _fixed("must be a whole number", "write digits, not too many")
    for kind in ("bool_parsing", "bool_type"):
        yield kind, _fixed("must be true or false", "write one of these")
    for kind in ("string_type", "string_unicode"):
        yield kind, _fixed("must be text", "put it in quotes")
    for kind in ("model_type", "model_attributes_type", "dict_type"):
        yield kind, _fixed("must be a JSON object", "send one as application/json")
    for kind in ("list_type", "tuple_type"):
        yield kind, _fixed("must be a list", "write [...]")
    yield "missing", _fixed("must be given, got nothing", "add it")
    yield "extra_forbidden", _fixed("is not a field of this body", "leave it out")
    yield "json_invalid", _fixed("must be JSON, got something else", "check quotes and brackets")
    yield "greater_than_equal", _bound("at least", "ge", "raise it")
    yield "greater_than", _bound("above", "gt", "raise it")
    yield "less_than_equal", _bound("at most", "le", "lower it")
    yield "less_than", _bound("below", "lt", "lower it")
    yield "string_too_long", _length("at most", "max_length", "shorten it")
    yield "string_too_short", _length("at least", "min_length", "write more")
    yield "too_long", _fixed("has too many entries", "leave some out")
    yield (
        "string_pattern_mismatch",
        lambda details: (
            f"must match {details['ctx']['pattern']}",
            "correct it",
        ),
    )
    yield "enum", _choices
    yield "literal_error", _choices


_WORDS: Final = dict(_words())
