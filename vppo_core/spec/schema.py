"""The JSON schema of a job file, printed from the model."""

from typing import Any, Final

from vppo_core.spec.job import VPPOJob

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def job_schema() -> dict[str, Any]:
    """The schema with the names of the wire, in the order of the spec; the same every time."""
    schema: dict[str, Any] = _untitled(VPPOJob.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, "title": "VPPOJob", **schema}


def _untitled(node: Any) -> Any:
    """Without the titles that pydantic makes up from field names."""
    if isinstance(node, dict):
        return {
            name: _untitled(value)
            for name, value in node.items()
            if not (name == "title" and isinstance(value, str))
        }
    return [_untitled(item) for item in node] if isinstance(node, list) else node
