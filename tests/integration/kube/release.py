"""Accounts and rights as the chart gives them, and tokens of these accounts."""

from collections.abc import Sequence
from typing import Any

import yaml

from tests.integration.kube.server import ApiServer
from tests.unit.charts.rendering import CHART, POSTGRES, helm
from vppo_core.kube.client import KubeClient
from vppo_core.kube.kinds import Kind

_RBAC = ("rbac.authorization.k8s.io", "v1")
_KINDS = (
    Kind("", "v1", "serviceaccounts", "ServiceAccount"),
    Kind(*_RBAC, "roles", "Role"),
    Kind(*_RBAC, "rolebindings", "RoleBinding"),
    Kind(*_RBAC, "clusterroles", "ClusterRole", is_namespaced=False),
    Kind(*_RBAC, "clusterrolebindings", "ClusterRoleBinding", is_namespaced=False),
)
CLUSTER_ROLES = _KINDS[3]


def install_rights(kube: KubeClient, namespace: str, *options: str, people: bool = False) -> None:
    """Make what a release in this namespace has of accounts, roles and bindings.

    Args:
        options: of `helm template`.
        people: whether the ClusterRoles for people are made too; one release of a cluster does.
    """
    done = helm(
        *("template", "vppo", str(CHART), f"--namespace={namespace}", *POSTGRES, *options),
        f"--set=rbac.aggregate={str(people).lower()}",
    )
    assert done.returncode == 0, done.stderr
    kinds = {kind.name: kind for kind in _KINDS}
    for one in yaml.safe_load_all(done.stdout):
        if one and one["kind"] in kinds and "helm.sh/hook" not in _annotations(one):
            kube.create(kinds[one["kind"]], one)


def bind(kube: KubeClient, namespace: str, account: str, cluster_role: str) -> None:
    """A new account in a namespace, and the rights of a ClusterRole there."""
    metadata = {"name": account, "namespace": namespace}
    accounts, _, bindings, *_ = _KINDS
    head = {"apiVersion": accounts.api_version, "kind": accounts.name}
    kube.create(accounts, {**head, "metadata": metadata})
    kube.create(
        bindings,
        {
            "apiVersion": bindings.api_version,
            "kind": bindings.name,
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC[0], "kind": "ClusterRole", "name": cluster_role},
            "subjects": [{"kind": accounts.name, **metadata}],
        },
    )


def token_of(
    server: ApiServer, namespace: str, account: str, *, audiences: Sequence[str] = ()
) -> str:
    """A token of a ServiceAccount, as a kubelet would ask for it."""
    spec: dict[str, Any] = {"audiences": list(audiences)} if audiences else {}
    wish = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    with server.http() as http:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = http.post(path, json=wish)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["status"]["token"])


def _annotations(one: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = one["metadata"].get("annotations") or {}
    return found
