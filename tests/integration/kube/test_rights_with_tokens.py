"""Each account with a token of its own may make exactly the requests of its table, and no other."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.kube.conftest import make_namespace
from tests.integration.kube.jobs import submit
from tests.integration.kube.operators import wait_until
from tests.integration.kube.release import bind, install_rights, token_of
from tests.integration.kube.requests import Rights, rights_everywhere, rights_in
from tests.integration.kube.server import ApiServer, free_ports, running_process
from tests.unit.charts.test_rights import API, API_WIDE, OPERATOR, OPERATOR_WIDE
from vppo_core.kube.errors import KubeForbiddenError
from vppo_core.kube.kinds import PODS, VPPO_JOBS
from vppo_core.spec.cluster import token_audience
from vppo_operator.driver_tokens import DriverTokens, OtherSenderError, UnauthorizedError
from vppo_services.cluster.access import AccessReviews
from vppo_services.cluster.auth import TokenReviews

NOTHING: Rights = {}
LEASES: Rights = {
    "coordination.k8s.io/leases": {"get", "list", "watch", "create", "update", "patch"}
}
READ = {"get", "list", "watch"}
EDIT = READ | {"create", "update", "patch", "delete"}
LOGS: Rights = {"vppo.io/vppojobs/status": {"get"}, "/pods/log": {"get"}}


@dataclass(frozen=True)
class Release:
    """A release in one namespace for the jobs of another."""

    server: ApiServer
    own: str
    jobs: str

    def token(self, account: str) -> str:
        home = self.own if account in ("vppo-api", "vppo-operator") else self.jobs
        return token_of(self.server, home, account)


@pytest.fixture(scope="module")
def release(field: ApiServer) -> Release:
    kube = field.kube()
    release = Release(field, make_namespace(kube, "release"), make_namespace(kube, "jobs"))
    install_rights(kube, release.own, f"--set=watchNamespaces={{{release.jobs}}}", people=True)
    for person in ("viewer", "editor", "admin"):
        bind(kube, release.jobs, person, f"vppo-{person}")
    return release


@pytest.mark.parametrize(
    ("account", "in_jobs", "in_own", "everywhere"),
    [
        pytest.param("vppo-operator", OPERATOR, LEASES, OPERATOR_WIDE, id="operator"),
        pytest.param("vppo-api", API, NOTHING, API_WIDE, id="api"),
        pytest.param("vppo-job", NOTHING, NOTHING, NOTHING, id="driver"),
        pytest.param("viewer", {"vppo.io/vppojobs": READ} | LOGS, NOTHING, NOTHING, id="viewer"),
        pytest.param("editor", {"vppo.io/vppojobs": EDIT} | LOGS, NOTHING, NOTHING, id="editor"),
        pytest.param(
            "admin",
            {"vppo.io/vppojobs": EDIT | {"deletecollection"}} | LOGS,
            *(NOTHING, NOTHING),
            id="admin",
        ),
    ],
)
def test_an_account_may_do_this_and_nothing_else(
    release: Release, account: str, in_jobs: Rights, in_own: Rights, everywhere: Rights
) -> None:
    token = release.token(account)
    assert rights_in(release.server, token, release.jobs) == in_jobs
    assert rights_in(release.server, token, release.own) == in_own
    assert rights_in(release.server, token, "default") == NOTHING
    assert rights_everywhere(release.server, token) == everywhere


def test_the_api_has_what_it_needs_to_know_callers_and_their_rights(release: Release) -> None:
    kube = release.server.kube(release.token("vppo-api"))
    callers, access = TokenReviews(kube), AccessReviews(kube)
    assert callers.user_of("no-such-token") is None
    viewer, editor = (callers.user_of(release.token(one)) for one in ("viewer", "editor"))
    assert viewer is not None
    assert editor is not None
    assert viewer.name == f"system:serviceaccount:{release.jobs}:viewer"
    asked = [("list", "vppojobs"), ("get", "vppojobs/log"), ("create", "vppojobs")]
    for user, answers in ((viewer, [True, True, False]), (editor, [True, True, True])):
        assert [access.ask(user, *one, release.jobs) for one in asked] == answers
        assert [access.ask(user, *one, release.own) for one in asked] == [False] * 3


def test_a_driver_is_known_to_the_operator_and_to_nobody_else(release: Release) -> None:
    audience = token_audience(release.jobs, "demo")
    projected = token_of(release.server, release.jobs, "vppo-job", audiences=[audience])
    with release.server.http(projected) as http:
        assert http.get("/api").status_code == 401
    tokens = DriverTokens(release.server.kube(release.token("vppo-operator")), lambda: 0.0)
    tokens.check(projected, namespace=release.jobs, job="demo")
    for wrong, job in ((projected, "other"), (release.token("vppo-job"), "demo")):
        with pytest.raises(UnauthorizedError):
            tokens.check(wrong, namespace=release.jobs, job=job)
    foreign = token_of(release.server, release.own, "vppo-operator", audiences=[audience])
    with pytest.raises(OtherSenderError):
        tokens.check(foreign, namespace=release.jobs, job="demo")


def test_a_person_of_one_namespace_is_nobody_in_another(release: Release) -> None:
    editor = release.server.kube(release.token("editor"))
    assert submit(editor, release.jobs, "mine")["metadata"]["name"] == "mine"
    editor.patch(VPPO_JOBS, release.jobs, "mine", {"spec": {"desiredState": "Cancelled"}})
    with pytest.raises(KubeForbiddenError, match="cannot create"):
        submit(editor, release.own, "mine")
    status = {"status": {"phase": "Succeeded"}}
    with pytest.raises(KubeForbiddenError, match="cannot patch"):
        editor.patch(VPPO_JOBS, release.jobs, "mine", status, subresource="status")
    with pytest.raises(KubeForbiddenError, match="pods"):
        editor.list(PODS, release.jobs)


@pytest.fixture(scope="module")
def aggregated(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Kubernetes adds roles up, which a program beside the server does."""
    manager = release.server.assets / "kube-controller-manager"
    if not manager.exists():
        pytest.skip("KUBEBUILDER_ASSETS has no kube-controller-manager, which adds roles up")
    folder, [port] = tmp_path_factory.mktemp("manager"), free_ports(1)
    flags = {
        "kubeconfig": str(release.server.kubeconfig()),
        "controllers": "clusterrole-aggregation-controller",
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
        "secure-port": str(port),
        "cert-dir": str(folder),
    }
    with running_process([manager], flags, folder / "manager.log"):
        yield release


@pytest.mark.parametrize(
    ("role", "verbs"), [("view", READ), ("edit", EDIT), ("admin", EDIT | {"deletecollection"})]
)
def test_who_may_view_edit_or_administer_a_namespace_may_so_its_jobs(
    aggregated: Release, role: str, verbs: set[str]
) -> None:
    bind(aggregated.server.kube(), aggregated.jobs, f"may-{role}", role)
    token = aggregated.token(f"may-{role}")

    things = [(VPPO_JOBS, ""), (VPPO_JOBS, "status")]

    def found() -> Rights:
        return rights_in(aggregated.server, token, aggregated.jobs, things)

    wanted = {"vppo.io/vppojobs": verbs, "vppo.io/vppojobs/status": {"get"}}
    wait_until(lambda: found() == wanted, found)
