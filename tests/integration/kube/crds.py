"""Kinds that a server is told to serve."""

import time
from typing import Any

from vppo_core.kube.client import KubeClient
from vppo_core.kube.errors import KubeError
from vppo_core.kube.kinds import CUSTOM_RESOURCES, Kind

SECONDS = 30.0


def serve(kube: KubeClient, kind: Kind, crd: dict[str, Any]) -> None:
    """Create the definition of a kind, and wait until its objects can be listed."""
    kube.create(CUSTOM_RESOURCES, crd)
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            kube.list(kind)
            return
        except KubeError:
            name = str(crd["metadata"]["name"])
            assert time.monotonic() < deadline, kube.get(CUSTOM_RESOURCES, "", name)
            time.sleep(0.1)


def loose_crd(kind: Kind) -> dict[str, Any]:
    """A kind whose objects may hold anything, and whose status is written apart."""
    names = {"plural": kind.plural, "singular": kind.name.lower(), "kind": kind.name}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    spec = {"group": kind.group, "scope": "Namespaced", "names": names, "versions": [version]}
    return {
        "apiVersion": CUSTOM_RESOURCES.api_version,
        "kind": CUSTOM_RESOURCES.name,
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": spec,
    }
