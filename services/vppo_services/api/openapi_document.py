"""The OpenAPI document of an application: what the framework prints, and what it does not know."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from vppo_core.spec.job import VPPOJob
from vppo_services.api.errors import CODES, MEDIA_TYPE, TYPE_PREFIX
from vppo_services.api.plan import Plan

TITLE: Final = "VPPO"
VERSION: Final = "v1alpha1"
_DESCRIPTION: Final = """\
Trains vision-language models with VPPO. A job is one object, the same here, for `kubectl apply` and
for `vppo train`; names are camelCase. Every path is served at the root and under `/v1`.

Every error is a problem document (RFC 9457) with a `code` for programs, the `param` that is wrong
and a `hint` that cures it. Lists go by `cursor`; streams are server-sent events by `Accept`.
"""
_TAGS: Final = (
    ("jobs", "Create, list, read, change and end jobs."),
    ("streams", "Events, metrics and logs, as pages or as streams."),
    ("history", "Attempts, checkpoints, files and sampled answers."),
    ("usage", "GPU-seconds."),
    ("webhooks", "Signed messages about events."),
    ("catalogue", "Schemas, pools, queues; what is known about a job."),
    ("health", "For those who watch the server."),
)
_REF: Final = "#/components/schemas/"
_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457).",
    "type": "object",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "param",
        "hint",
        "requestId",
    ],
    "properties": {
        "type": {"type": "string", "description": f"`{TYPE_PREFIX}` and the code."},
        "title": {"type": "string", "description": "What the code means."},
        "status": {"type": "integer", "description": "Status of the reply."},
        "detail": {"type": "string", "description": "One sentence: rule, value, cure."},
        "instance": {"type": "string", "description": "Path of the request."},
        "code": {"type": "string", "description": "For programs.", "enum": sorted(CODES)},
        "param": {
            "type": "string",
            "description": "The field, parameter or header that is wrong; empty where none is.",
        },
        "hint": {"type": "string", "description": "What cures it; empty where nothing does."},
        "requestId": {
            "type": "string",
            "description": "`X-Request-Id`; the server's log knows the request by it.",
        },
        "errors": {
            "type": "array",
            "description": "One entry for each broken rule.",
            "items": {
                "type": "object",
                "required": ["param", "detail", "hint"],
                "properties": {name: {"type": "string"} for name in ("param", "detail", "hint")},
            },
        },
    },
}
_EXAMPLE: Final = {
    "type": f"{TYPE_PREFIX}invalid_spec",
    "title": CODES["invalid_spec"],
    "status": 422,
    "detail": "rollout.groupSize must be at least 2 and at most 128, got 1; raise it (the default "
    "is 8)",
    "instance": "/jobs",
    "code": "invalid_spec",
    "param": "rollout.groupSize",
    "hint": "raise it (the default is 8)",
    "requestId": "0b9f1c64e5d24a6d8a3f0f5f3c1d2e4b",
}
_REFUSALS: Final = {
    400: ("BadCursor", "A cursor or position that no reply gave, or one of another list."),
    401: ("Unauthenticated", "No token, or one that is not known."),
    403: ("Forbidden", "The caller may not do this."),
    404: ("NotFound", "There is no such thing."),
    409: ("Conflict", "It clashes with what is there: a name, a key, a version, a state."),
    412: ("PlanChanged", "The plan that was agreed to no longer holds."),
    413: ("TooLarge", "The body is too large."),
    415: ("UnsupportedMediaType", "The body is of a type that is not read here."),
    422: ("Invalid", "A field, a parameter or a header breaks a rule."),
    429: ("TooMany", "More requests or streams than a caller may make; see `Retry-After`."),
    503: ("StoreUnavailable", "The database is away; nothing was done; see `Retry-After`."),
}
_HEADERS: Final = {"If-None-Match": "An `ETag` that the caller has already."}
_EVERYWHERE: Final = (401, 403, 422, 429, 503)
_OPEN: Final = "health"


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The document of all routes that are in the schema; the same every time."""
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS],
        servers=[
            {"url": "/", "description": "This server."},
            {"url": "/v1", "description": "The same."},
        ],
        separate_input_output_schemas=False,
    )
    components = document["components"]
    _add_models(components["schemas"])
    _drop_titles(document["paths"])
    _drop_titles(components["schemas"])
    components["schemas"]["Problem"] = _PROBLEM
    components["responses"] = {name: _response(text) for name, text in _REFUSALS.values()}
    components["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "Of the server's token file, or of its cluster; without either, callers "
            "of the same machine need none.",
        }
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method)
    return document


def _add_models(schemas: dict[str, Any]) -> None:
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _, found = models_json_schema(
        [(VPPOJob, "validation"), (Plan, "validation")],
        by_alias=True,
        ref_template=_REF + "{model}",
    )
    for name, schema in found["$defs"].items():
        other = schemas.get(name, schema)
        same = other.get("properties", {}).keys() == schema.get("properties", {}).keys()
        assert same, f"two models are called {name}; rename one"
        # The framework makes floats of whole bounds; these are as in the schema of a job.
        schemas[name] = schema


def _drop_titles(node: Any) -> None:
    """Those that the framework makes up from names."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        _drop_titles(part)


def _response(description: str) -> dict[str, Any]:
    content = {"schema": {"$ref": _REF + "Problem"}, "example": _EXAMPLE}
    return {"description": description, "content": {MEDIA_TYPE: content}}


def _complete(operation: dict[str, Any], path: str, method: str) -> None:
    for parameter in operation.get("parameters", ()):
        _drop_null(parameter["schema"])
        if parameter["in"] == "header":
            parameter["name"] = "-".join(x.capitalize() for x in parameter["name"].split("-"))
            parameter.setdefault("description", _HEADERS.get(parameter["name"], ""))
    replies = operation["responses"]
    replies.pop("422", None)
    if _OPEN in operation["tags"]:
        statuses = [403, 422, 429, 503]
        operation["security"] = []
    else:
        statuses = [*_EVERYWHERE, *_special(operation, path, method)]
        # Without a token file none is needed.
        operation["security"] = [{"token": []}, {}]
    for status in sorted(statuses):
        name, _ = _REFUSALS[status]
        replies.setdefault(str(status), {"$ref": f"#/components/responses/{name}"})


def _drop_null(schema: dict[str, Any]) -> None:
    """A parameter that is absent is not null: `anyOf` of a value and null is the value."""
    match schema.get("anyOf"):
        case [dict(value), {"type": "null"}]:
            del schema["anyOf"]
            schema.update(value)


def _special(operation: dict[str, Any], path: str, method: str) -> list[int]:
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    found = [404] if "{" in path else []
    if method != "get":
        found += [409, 413]
    if "requestBody" in operation:
        found.append(415)
    if names & {"cursor", "after"}:
        found.append(400)
    if "If-Plan-Match" in names:
        found.append(412)
    return found
