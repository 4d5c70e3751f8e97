"""What OpenAPI says of bodies and replies that are not made from models of the framework."""

from typing import Any, Final

from vppo_services.api.job_body import JOB_TYPES, PATCH_TYPES

DEMO_JOB: Final[dict[str, Any]] = {
    "apiVersion": "vppo.io/v1alpha1",
    "kind": "VPPOJob",
    "metadata": {"name": "demo-vppo"},
    "spec": {
        "model": {
            "source": "demo://qwen2.5-vl",
            "dtype": "float32",
            "minPixels": 3136,
            "maxPixels": 4096,
        },
        "data": {
            "source": "demo://colours",
            "validationSource": "demo://colours?split=validation",
            "maxPromptTokens": 128,
        },
        "rollout": {
            "engine": "vllm",
            "groupSize": 8,
            "promptsPerStep": 16,
            "maxResponseTokens": 40,
            "maxConcurrentSequences": 128,
            "enforceEager": True,
        },
        "reward": {"grader": "exact_match"},
        "algorithm": {"shaping": "dynamic", "tokenKeepRatio": 0.4},
        "learner": {
            "numSteps": 60,
            "promptsPerUpdate": 16,
            "maxTokensPerMicroBatch": 1024,
            "gradientCheckpointing": False,
            "warmupUpdates": 5,
            "learningRate": 0.0001,
        },
        "checkpoint": {"everySteps": 10},
        "evaluation": {"maxPrompts": 256},
    },
}
"""`helm/examples/demo-vppo.yaml`; a test holds both together."""

_PATCH_EXAMPLES: Final = {
    "pause": {"summary": "Pause the job", "value": {"spec": {"desiredState": "Paused"}}},
    "label": {"summary": "Set a label", "value": {"metadata": {"labels": {"team": "vision"}}}},
}
_CLONE_EXAMPLES: Final = {
    "longer": {
        "summary": "The same job with more steps",
        "value": {"name": "demo-longer", "set": {"learner.numSteps": 100}},
    }
}
_PATCH_SCHEMA: Final = {
    "type": "object",
    "description": "A JSON merge patch (RFC 7396) of a job; null takes a value away.",
    "properties": {
        "metadata": {
            "type": "object",
            "properties": {
                name: {
                    "type": ["object", "null"],
                    "additionalProperties": {"type": ["string", "null"]},
                }
                for name in ("labels", "annotations")
            },
        },
        "spec": {
            "type": "object",
            "properties": {
                "desiredState": {"enum": ["Running", "Paused", "Cancelled"]},
                "priority": {"type": "string", "maxLength": 253},
                "activeDeadlineSeconds": {"type": "integer", "minimum": 60},
                "pendingDeadlineSeconds": {"type": "integer", "minimum": 60},
                "ttlSecondsAfterFinished": {"type": "integer", "minimum": 0},
            },
        },
    },
}
_CLONE_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {
            "type": "string",
            "description": "Name of the new job; absent, the server makes one.",
            "maxLength": 40,
        },
        "set": {
            "type": "object",
            "description": "Fields of the spec by their path, such as `learner.numSteps`.",
            "additionalProperties": True,
        },
        "metadata": {"type": "object", "description": "Merged into that of the other job."},
        "spec": {"type": "object", "description": "Merged into that of the other job."},
    },
}


def _body(types: tuple[str, ...], schema: Any, examples: Any, *, required: bool) -> dict[str, Any]:
    content = {media: {"schema": schema, "examples": examples} for media in types}
    return {"requestBody": {"required": required, "content": content}}


JOB_BODY: Final = _body(
    JOB_TYPES,
    {"$ref": "#/components/schemas/VPPOJob"},
    {"demo": {"summary": "A tiny model on a tiny task", "value": DEMO_JOB}},
    required=True,
)
PATCH_BODY: Final = _body(PATCH_TYPES, _PATCH_SCHEMA, _PATCH_EXAMPLES, required=True)
CLONE_BODY: Final = _body(JOB_TYPES, _CLONE_SCHEMA, _CLONE_EXAMPLES, required=False)

_ETAG: Final = {"ETag": {"description": "Version of the job.", "schema": {"type": "string"}}}
_LOCATION: Final = {
    **_ETAG,
    "Location": {"description": "Path of the job.", "schema": {"type": "string"}},
}
_JOB: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/JobObject"}}}

CREATED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The job of an earlier request with this key; or the plan of a dry run.",
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/JobObject"},
                        {"$ref": "#/components/schemas/Plan"},
                    ]
                }
            }
        },
        "headers": {
            "Idempotent-Replayed": {
                "description": "`true` where the job is of an earlier request.",
                "schema": {"type": "string"},
            }
        },
    },
    201: {"description": "The new job.", "headers": _LOCATION},
}
READ: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The job.", "headers": _ETAG},
    304: {"description": "Unchanged since the `If-None-Match` that was sent."},
}
LISTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A page.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["items", "nextCursor"],
                    "properties": {
                        "items": {
                            "type": "array",
                            "items": {"$ref": "#/components/schemas/JobObject"},
                        },
                        "nextCursor": {
                            "type": ["string", "null"],
                            "description": "Send it as `cursor` for the next page.",
                        },
                    },
                }
            }
        },
    }
}
