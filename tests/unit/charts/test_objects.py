"""Whatever the values: objects are whole, belong together, and pods are restricted."""

from collections import Counter

import pytest

from tests.unit.charts.rendering import (
    CHART,
    NAMESPACE,
    PROFILES,
    containers_of,
    environment_of,
    helm,
    name_of,
    of_kind,
    of_profile,
    pods_of,
    selects,
)

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
every_profile = pytest.mark.parametrize("profile", PROFILES)


@every_profile
def test_the_linter_is_content(profile: str) -> None:
    options = [one for one in PROFILES[profile] if not one.startswith("--api-versions")]
    done = helm("lint", "--strict", str(CHART), *options)
    assert done.returncode == 0, done.stdout + done.stderr


@every_profile
def test_an_object_has_a_name_of_its_own_and_says_where_it_is(profile: str) -> None:
    objects = of_profile(profile)
    names = Counter((one["apiVersion"], one["kind"], name_of(one)) for one in objects)
    assert [name for name, count in names.items() if count > 1] == []
    for one in objects:
        assert ("namespace" in one["metadata"]) != (one["kind"] in CLUSTER_WIDE), name_of(one)


@every_profile
def test_nothing_of_a_job_is_in_the_chart(profile: str) -> None:
    kinds = {one["kind"] for one in of_profile(profile)}
    assert not kinds & {"RayJob", "RayCluster", "VPPOJob", "LocalQueue", "ClusterQueue"}


@every_profile
def test_a_pod_is_restricted(profile: str) -> None:
    for name, pod in pods_of(of_profile(profile)).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == 1000, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec), name
        for volume in spec["volumes"]:
            assert "hostPath" not in volume, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert "/tmp" in mounts, f"{name} has nowhere to write"
            assert environment_of(container)["HOME"].startswith("/tmp/"), name


@every_profile
def test_volumes_that_are_mounted_exist(profile: str) -> None:
    objects = of_profile(profile)
    maps = of_kind(objects, "ConfigMap")
    claims = of_kind(objects, "PersistentVolumeClaim")
    for name, pod in pods_of(objects).items():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for container in pod["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes), name
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims


@every_profile
def test_selectors_find_pods(profile: str) -> None:
    objects = of_profile(profile)
    labels = [pod["metadata"].get("labels", {}) for pod in pods_of(objects).values()]
    for name, service in of_kind(objects, "Service").items():
        selector = {"matchLabels": service["spec"]["selector"]}
        found = [one for one in labels if selects(selector, one)]
        assert len(found) == 1, name
        ports = {
            port["name"]
            for pod in pods_of(objects).values()
            if selects(selector, pod["metadata"].get("labels", {}))
            for container in pod["spec"]["containers"]
            for port in container["ports"]
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for name, policy in of_kind(objects, "NetworkPolicy").items():
        assert any(selects(policy["spec"]["podSelector"], one) for one in labels), name
    for name, deployment in of_kind(objects, "Deployment").items():
        template = deployment["spec"]["template"]["metadata"]["labels"]
        assert selects(deployment["spec"]["selector"], template), name
    for name, budget in of_kind(objects, "PodDisruptionBudget").items():
        assert any(selects(budget["spec"]["selector"], one) for one in labels), name


@every_profile
def test_accounts_of_pods_exist_and_bindings_lead_to_them(profile: str) -> None:
    objects = of_profile(profile)
    accounts = set(of_kind(objects, "ServiceAccount"))
    for pod in pods_of(objects).values():
        if pod["spec"].get("automountServiceAccountToken") is not False:
            assert pod["spec"]["serviceAccountName"] in accounts
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        roles = {role: set(of_kind(objects, role)) for role in ("Role", "ClusterRole")}
        for binding in of_kind(objects, kind).values():
            namespace = binding["metadata"].get("namespace", NAMESPACE)
            reference = binding["roleRef"]
            prefix = "" if namespace == NAMESPACE else f"{namespace}/"
            assert prefix + reference["name"] in roles[reference["kind"]]
            assert {one["name"] for one in binding["subjects"]} <= accounts


@every_profile
def test_both_programs_read_the_same_platform_and_restart_when_it_changes(profile: str) -> None:
    objects = of_profile(profile)
    sums = set()
    for pod in pods_of(objects).values():
        names = {container["name"] for container in pod["spec"]["containers"]}
        if names & {"api", "operator"}:
            sums.add(pod["metadata"]["annotations"]["checksum/platform"])
    containers = containers_of(objects)
    files = {
        environment_of(containers["api"])["API_PLATFORM"],
        environment_of(containers["operator"])["OPERATOR_PLATFORM_FILE"],
    }
    assert files == {"/etc/vppo/platform.yaml"}
    assert len(sums) == 1
