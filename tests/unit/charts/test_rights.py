"""Rights of programs and people: exactly these, and no more in any other shape."""

import pytest

from tests.unit.charts.rendering import Document, documents, of_kind, of_profile

Rights = dict[str, set[str]]

OPERATOR: Rights = {
    "vppo.io/vppojobs": {"get", "list", "watch", "patch", "delete"},
    "vppo.io/vppojobs/status": {"get", "patch"},
    "vppo.io/vppojobs/finalizers": {"update"},
    "ray.io/rayjobs": {"get", "list", "watch", "create", "delete", "patch"},
    "ray.io/rayclusters": {"get", "list", "watch", "delete"},
    "/configmaps": {"create", "get", "list", "delete"},
    "policy/poddisruptionbudgets": {"create", "get", "list", "delete"},
    "networking.k8s.io/networkpolicies": {"create", "get", "list", "delete"},
    "/pods": {"get", "list", "watch"},
    "events.k8s.io/events": {"get", "create", "patch"},
    "coordination.k8s.io/leases": {"list", "watch"},
}
API: Rights = {
    "vppo.io/vppojobs": {"get", "list", "watch", "create", "patch", "delete"},
    "/pods": {"get", "list"},
    "/pods/log": {"get"},
}
KUEUE_OPERATOR: Rights = {"kueue.x-k8s.io/workloads": {"get", "list", "watch", "patch"}}
KUEUE_API: Rights = {
    "kueue.x-k8s.io/workloads": {"get", "list"},
    "kueue.x-k8s.io/localqueues": {"get", "list"},
}
TOKENS: Rights = {"authentication.k8s.io/tokenreviews": {"create"}}
OWN_CRD = "apiextensions.k8s.io/customresourcedefinitions/vppojobs.vppo.io"
OPERATOR_WIDE = TOKENS | {OWN_CRD: {"get"}}
API_WIDE = TOKENS | {"authorization.k8s.io/subjectaccessreviews": {"create"}}
SCANNING: Rights = {
    "apiextensions.k8s.io/customresourcedefinitions": {"list", "watch"},
    "/namespaces": {"list", "watch"},
}


def rights(role: Document) -> Rights:
    return {
        "/".join((group, resource, *names)): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for names in [rule.get("resourceNames", [])]
    }


def test_in_one_namespace() -> None:
    objects = of_profile("default")
    roles = of_kind(objects, "Role")
    assert set(roles) == {"vppo-api", "vppo-operator", "vppo-leases", "vppo-test"}
    assert rights(roles["vppo-operator"]) == OPERATOR
    assert rights(roles["vppo-api"]) == API
    assert rights(roles["vppo-leases"]) == {
        "coordination.k8s.io/leases": {"get", "list", "watch", "create", "update", "patch"}
    }
    assert rights(roles["vppo-test"]) == {"vppo.io/vppojobs": {"get", "list", "create"}}
    wide = of_kind(objects, "ClusterRole")
    assert rights(wide["vppo-ml-api-reviews"]) == API_WIDE
    assert rights(wide["vppo-ml-operator-reviews"]) == OPERATOR_WIDE
    assert set(wide) == {
        "vppo-ml-api-reviews",
        "vppo-ml-operator-reviews",
        "vppo-viewer",
        "vppo-editor",
        "vppo-admin",
    }


def test_in_the_namespaces_that_are_watched_and_not_in_the_releases_own() -> None:
    roles = of_kind(of_profile("two-namespaces"), "Role")
    assert set(roles) == {
        "team-a/vppo-api",
        "team-a/vppo-operator",
        "team-b/vppo-api",
        "team-b/vppo-operator",
        "team-a/vppo-test",
        "vppo-leases",
    }
    assert rights(roles["team-b/vppo-operator"]) == OPERATOR


def test_in_every_namespace_and_with_kueue() -> None:
    objects = of_profile("whole-cluster")
    assert set(of_kind(objects, "Role")) == {"vppo-leases", "vppo-test"}
    wide = of_kind(objects, "ClusterRole")
    assert rights(wide["vppo-ml-operator"]) == OPERATOR | KUEUE_OPERATOR
    assert rights(wide["vppo-ml-api"]) == API | KUEUE_API
    assert rights(wide["vppo-ml-operator-reviews"]) == OPERATOR_WIDE | SCANNING


def test_in_pods_of_their_own_each_program_has_only_its_own_rights() -> None:
    objects = of_profile("postgres")
    bindings = of_kind(objects, "RoleBinding") | of_kind(objects, "ClusterRoleBinding")
    held = {
        account: {
            binding["roleRef"]["name"]
            for binding in bindings.values()
            if account in {subject["name"] for subject in binding["subjects"]}
        }
        for account in ("vppo-api", "vppo-operator", "vppo-job")
    }
    assert held == {
        "vppo-api": {"vppo-api", "vppo-ml-api-reviews"},
        "vppo-operator": {"vppo-operator", "vppo-leases", "vppo-ml-operator-reviews"},
        "vppo-job": set(),
    }


@pytest.mark.parametrize(
    ("name", "into", "verbs"),
    [
        ("viewer", "view", {"get", "list", "watch"}),
        ("editor", "edit", {"get", "list", "watch", "create", "update", "patch", "delete"}),
        (
            "admin",
            "admin",
            {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"},
        ),
    ],
)
def test_people_get_theirs_with_the_roles_they_have(name: str, into: str, verbs: set[str]) -> None:
    role = of_kind(of_profile("default"), "ClusterRole")[f"vppo-{name}"]
    assert role["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{into}"] == "true"
    assert rights(role) == {
        "vppo.io/vppojobs": verbs,
        "vppo.io/vppojobs/status": {"get"},
        "/pods/log": {"get"},
    }


def test_nobody_may_read_secrets_or_do_everything() -> None:
    for role in [
        *of_kind(of_profile("whole-cluster"), "ClusterRole").values(),
        *of_kind(of_profile("h100"), "Role").values(),
    ]:
        for resource, verbs in rights(role).items():
            assert "secrets" not in resource
            assert "*" not in resource
            assert "*" not in verbs


def test_someone_else_may_give_the_rights() -> None:
    objects = documents("--set=rbac.create=false", "--set=rbac.aggregate=false")
    assert not of_kind(objects, "ClusterRole")
    assert set(of_kind(objects, "Role")) == {"vppo-test"}
