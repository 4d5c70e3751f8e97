"""The CustomResourceDefinition of VPPOJob, printed from the models of spec and status."""

from typing import Any, Final

from vppo_core.spec.crd_rules import NAME_RULES, agreements, immutable, transitions
from vppo_core.spec.hashing import MUTABLE
from vppo_core.spec.job import API_VERSION, KIND, VPPOJobSpec
from vppo_core.spec.status import VPPOJobStatus
from vppo_core.spec.structural import Schema, structural

GROUP: Final = API_VERSION.partition("/")[0]
VERSION: Final = API_VERSION.partition("/")[2]
PLURAL: Final = "vppojobs"
SINGULAR: Final = "vppojob"
SHORT_NAME: Final = "vj"
CRD_NAME: Final = f"{PLURAL}.{GROUP}"

COLUMNS: Final = (
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Step", "type": "string", "jsonPath": ".status.progress.display"},
    {"name": "Attempt", "type": "integer", "jsonPath": ".status.attempt"},
    {"name": "Queue", "type": "string", "jsonPath": ".status.queue.name"},
    {"name": "GPUs", "type": "integer", "jsonPath": ".status.usage.gpus"},
    {
        "name": "Reason",
        "type": "string",
        "priority": 1,
        "jsonPath": '.status.conditions[?(@.type=="Running")].reason',
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)
"""What `kubectl get vj` prints."""

LIST_KEYS: Final = {"conditions": "type", "attempts": "index"}
"""Lists of the status that are maps by one of their fields."""

MAX_STAGES: Final = 64


def vppojob_crd() -> dict[str, Any]:
    """The whole object, the same every time."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [dict(column) for column in COLUMNS],
        "schema": {"openAPIV3Schema": _object_schema()},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD_NAME},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "plural": PLURAL,
                "singular": SINGULAR,
                "kind": KIND,
                "listKind": f"{KIND}List",
                "shortNames": [SHORT_NAME],
                "categories": ["all", "vppo"],
            },
            "versions": [version],
        },
    }


def _object_schema() -> Schema:
    return {
        "type": "object",
        "description": "One VPPO training job.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec_schema(),
            "status": _status_schema(),
        },
        "required": ["spec"],
        "x-kubernetes-validations": [dict(rule) for rule in NAME_RULES],
    }


def _spec_schema() -> Schema:
    spec = structural(VPPOJobSpec.model_json_schema(by_alias=True))
    for name, field in spec["properties"].items():
        if name not in MUTABLE:
            field["x-kubernetes-validations"] = [immutable(name)]
    spec["x-kubernetes-validations"] = [*agreements(), *transitions()]
    return spec


def _status_schema() -> Schema:
    # Defaults stay out: nothing of a status is true before somebody wrote it.
    status = structural(VPPOJobStatus.model_json_schema(by_alias=True), has_defaults=False)
    fields = status["properties"]
    for name, key in LIST_KEYS.items():
        fields[name] |= {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [key],
        }
    fields["progress"]["properties"]["stageSeconds"]["maxProperties"] = MAX_STAGES
    return status
