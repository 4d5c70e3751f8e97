"""What the CustomResourceDefinition of VPPOJob knows: a server drops every other field."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from vppo_core.kube.api import KubeObject
from vppo_core.spec.crd import vppojob_crd


def unknown_fields(job: KubeObject) -> list[str]:
    """Paths below `spec` and `status` that a real server would lose without an error."""
    parts = {name: value for name, value in job.items() if name in ("spec", "status")}
    return list(_unknown(parts, _schema(), ""))


@cache
def _schema() -> dict[str, Any]:
    version: dict[str, Any] = vppojob_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return version


def _unknown(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    if isinstance(value, dict):
        if "properties" not in schema:
            return
        for name, inner in value.items():
            known = schema["properties"].get(name)
            if known is None:
                yield f"{path}.{name}"
            else:
                yield from _unknown(inner, known, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _unknown(inner, schema.get("items", {}), path)
