"""What an API server refuses of any object."""

import re

from vppo_core.kube.api import KubeObject
from vppo_core.kube.errors import BadObjectError
from vppo_core.kube.kinds import CONFIG_MAPS, Kind

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def check_kind(kind: Kind, new: KubeObject) -> None:
    said = (new.get("apiVersion"), new.get("kind"))
    if said != (kind.api_version, kind.name):
        raise BadObjectError(
            f"apiVersion and kind must be {kind.api_version} {kind.name}, got {said[0]} {said[1]}"
        )


def check_object(kind: Kind, new: KubeObject, old: KubeObject | None = None) -> None:
    head = new["metadata"]
    if not _NAME.fullmatch(head.get("name") or ""):
        raise BadObjectError(f"metadata.name: Invalid value: {head.get('name')!r}")
    for key, value in (head.get("labels") or {}).items():
        if not isinstance(value, str) or not _LABEL.fullmatch(value):
            raise BadObjectError(f"metadata.labels: Invalid value: {key}={value!r}")
    for key, value in (head.get("annotations") or {}).items():
        if not isinstance(value, str):
            raise BadObjectError(f"metadata.annotations.{key} must be a string, got {value!r}")
    for owner in head.get("ownerReferences") or []:
        if not all(owner.get(field) for field in ("apiVersion", "kind", "name", "uid")):
            raise BadObjectError(f"metadata.ownerReferences: must be complete, got {owner}")
    if kind == CONFIG_MAPS:
        _check_config_map(new, old)


def _check_config_map(new: KubeObject, old: KubeObject | None) -> None:
    if sum(len(str(value)) for value in (new.get("data") or {}).values()) > 2**20:
        raise BadObjectError("ConfigMap: Too long: must have at most 1048576 bytes")
    if old and old.get("immutable") and old.get("data") != new.get("data"):
        raise BadObjectError("data: Forbidden: field is immutable when `immutable` is set")
