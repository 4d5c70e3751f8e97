"""Whether the installed CRD keeps all that this operator writes: the rest is dropped silently."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, get_args

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeForbiddenError
from vppo_core.kube.kinds import CUSTOM_RESOURCES, VPPO_JOBS
from vppo_core.spec.base import SpecModel
from vppo_core.spec.fields import wire_fields
from vppo_core.spec.status import VPPOJobStatus


def crd_trouble(api: KubeApi) -> str:
    """A sentence about a CRD that is older than this operator; empty when all is well, or when
    this program may not look.

    Raises:
        KubeUnavailableError: the server does not answer.
    """
    name = f"{VPPO_JOBS.plural}.{VPPO_JOBS.group}"
    try:
        definition = api.get(CUSTOM_RESOURCES, "", name)
    except KubeForbiddenError:
        return ""
    missing = missing_fields(definition) if definition is not None else []
    if not missing:
        return ""
    return (
        f"the CustomResourceDefinition {name} is older than this operator: it does not keep "
        f"status.{', status.'.join(missing[:5])}; upgrade the chart vppo-crds"
    )


def missing_fields(definition: KubeObject) -> list[str]:
    """Fields of the status that the schema of our version would drop."""
    versions = (definition.get("spec") or {}).get("versions") or ()
    version: KubeObject = next((v for v in versions if v.get("name") == VPPO_JOBS.version), {})
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    status = (schema.get("properties") or {}).get("status") or {}
    return list(_missing(VPPOJobStatus, status, ""))


def _missing(section: type[SpecModel], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    properties = schema.get("properties") or {}
    for name, info in wire_fields(section).items():
        found = properties.get(name)
        if found is None:
            yield f"{path}{name}"
            continue
        inner = _held(info.annotation)
        if inner is not None:
            yield from _missing(inner, found.get("items") or found, f"{path}{name}.")
        elif name == "type":
            yield from _missing_values(info.annotation, found, f"{path}{name}")


def _missing_values(kind: object, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Kinds of conditions that the schema refuses: the whole status would not be written."""
    known = schema.get("enum")
    if known and isinstance(kind, type) and issubclass(kind, StrEnum):
        yield from (f"{path}={one}" for one in kind if str(one) not in known)


def _held(kind: object) -> type[SpecModel] | None:
    if isinstance(kind, type) and issubclass(kind, SpecModel):
        return kind
    return next((found for one in get_args(kind) if (found := _held(one))), None)
