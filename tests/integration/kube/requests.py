"""Every verb on every kind of object as a real request: which of them an account may make."""

from collections.abc import Iterable
from typing import Final

import httpx

from tests.integration.kube.server import ApiServer
from vppo_core.kube.kinds import (
    ACCESS_REVIEWS,
    CONFIG_MAPS,
    CUSTOM_RESOURCES,
    DISRUPTION_BUDGETS,
    EVENTS,
    LEASES,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    RAY_CLUSTERS,
    RAY_JOBS,
    TOKEN_REVIEWS,
    VPPO_JOBS,
    Kind,
)

RBAC: Final = ("rbac.authorization.k8s.io", "v1")
NAMESPACED: Final = (
    *(VPPO_JOBS, RAY_JOBS, RAY_CLUSTERS, PODS, CONFIG_MAPS, LEASES, EVENTS),
    *(DISRUPTION_BUDGETS, NETWORK_POLICIES),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount"),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Kind("apps", "v1", "deployments", "Deployment"),
    Kind("batch", "v1", "jobs", "Job"),
    Kind(*RBAC, "roles", "Role"),
    Kind(*RBAC, "rolebindings", "RoleBinding"),
)
PARTS: Final = (
    *((VPPO_JOBS, "status"), (VPPO_JOBS, "finalizers"), (RAY_JOBS, "status")),
    *((PODS, "log"), (PODS, "exec"), (PODS, "eviction")),
    (Kind("", "v1", "serviceaccounts", "ServiceAccount"), "token"),
)
THINGS: Final = (*((kind, "") for kind in NAMESPACED), *PARTS)
CLUSTER_WIDE: Final = (
    *(NAMESPACES, CUSTOM_RESOURCES, TOKEN_REVIEWS, ACCESS_REVIEWS),
    Kind("", "v1", "nodes", "Node", is_namespaced=False),
    Kind(*RBAC, "clusterroles", "ClusterRole", is_namespaced=False),
    Kind(*RBAC, "clusterrolebindings", "ClusterRoleBinding", is_namespaced=False),
)
_WHOLE: Final = ("list", "watch", "create", "deletecollection")
_ONE: Final = ("get", "update", "patch", "delete")
_METHODS: Final = {
    **{"get": "GET", "list": "GET", "watch": "GET", "create": "POST"},
    **{"update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"},
}

Rights = dict[str, set[str]]
"""Verbs by `group/resource`."""


def rights_in(
    server: ApiServer, token: str, namespace: str, things: Iterable[tuple[Kind, str]] = THINGS
) -> Rights:
    """What the holder of a token may do in a namespace.

    Args:
        things: kinds and their parts. All verbs are tried on them, so who may delete all objects of
            a kind does.
    """
    with server.http(token) as http:
        tried = (
            (f"{_title(kind)}{part and '/' + part}", verb, kind.path(namespace, name, part))
            for kind, part in things
            for verb, name in _verbs(part)
        )
        return _allowed(http, tried)


def rights_everywhere(server: ApiServer, token: str) -> Rights:
    """What the holder of a token may do with kinds that are in no namespace, all namespaces and
    the definition of VPPOJobs by name."""
    own = f"{VPPO_JOBS.plural}.{VPPO_JOBS.group}"
    tried = [
        (_title(kind), verb, kind.path("", name))
        for kind in CLUSTER_WIDE
        for verb, name in _verbs()
    ]
    tried += [
        (f"{_title(CUSTOM_RESOURCES)}/{own}", verb, CUSTOM_RESOURCES.path("", own)) for verb in _ONE
    ]
    tried += [
        (_title(kind), verb, kind.path()) for kind in NAMESPACED for verb in ("list", "watch")
    ]
    with server.http(token) as http:
        return _allowed(http, tried)


def _verbs(part: str = "") -> list[tuple[str, str]]:
    """Verbs, each with the name of the object that it is tried on; empty means all of them."""
    if part:
        return [(verb, "nothing") for verb in ("get", "create", "update", "patch")]
    return [*((verb, "") for verb in _WHOLE), *((verb, "nothing") for verb in _ONE)]


def _title(kind: Kind) -> str:
    return f"{kind.group}/{kind.plural}"


def _allowed(http: httpx.Client, tried: Iterable[tuple[str, str, str]]) -> Rights:
    found: Rights = {}
    for title, verb, path in tried:
        if _may(http, verb, path):
            found.setdefault(title, set()).add(verb)
    return found


def _may(http: httpx.Client, verb: str, path: str) -> bool:
    """Whether the request gets past the server's rules; what it asks for makes no sense."""
    query = {"watch": "true"} if verb == "watch" else {}
    body = b"{}" if verb in ("create", "update", "patch") else None
    kind = "application/merge-patch+json" if verb == "patch" else "application/json"
    request = http.build_request(
        _METHODS[verb], path, params=query, content=body, headers={"Content-Type": kind}
    )
    answer = http.send(request, stream=True)  # a watch never ends
    try:
        assert answer.status_code != 401, answer.read()
        if answer.status_code != 403:
            return True
        said = str(answer.read())
        assert f"cannot {verb} resource" in said, said
        return False
    finally:
        answer.close()
