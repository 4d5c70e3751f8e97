"""Whom a token belongs to and what its user may do, as the cluster says."""

from typing import Any

import pytest

from tests.sim.kube_server import Account
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.kube.errors import KubeForbiddenError
from vppo_core.kube.kinds import ACCESS_REVIEWS, TOKEN_REVIEWS
from vppo_services.cluster.access import AccessReviews
from vppo_services.cluster.auth import TokenReviews, User, user_in
from vppo_services.cluster.memory import Memory

ANN = User("ann", "u-1", ("dev",), {"scopes": ("a",)})


@pytest.fixture
def tokens(cluster: Any) -> TokenReviews:
    cluster.server.reviews.accounts["t-ann"] = Account("ann", groups=("dev",), uid="u-1")
    return TokenReviews(cluster.server, clock=cluster.clock.seconds)


@pytest.fixture
def rights(cluster: Any) -> AccessReviews:
    return AccessReviews(cluster.server, clock=cluster.clock.seconds)


def asked(cluster: Any, kind: Any) -> int:
    return sum(call.kind == kind for call in cluster.server.calls)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ({"authenticated": True, "user": {"username": "ann"}}, "ann"),
        ({"user": {"username": "ann"}}, None),
        ({"authenticated": False, "user": {"username": "ann"}}, None),
        ({"authenticated": None, "user": {"username": "ann"}}, None),
        ({"authenticated": "true", "user": {"username": "ann"}}, None),
        ({"authenticated": 1, "user": {"username": "ann"}}, None),
        ({"authenticated": True, "user": {}}, None),
        ({"authenticated": True, "user": {"username": ""}}, None),
        ({"authenticated": True}, None),
        ({}, None),
    ],
)
def test_only_the_word_true_counts(status: Any, name: str | None) -> None:
    user = user_in(status)
    assert (user.name if user else None) == name


def test_a_user_is_all_that_the_review_says() -> None:
    said = {"username": "ann", "uid": "u-1", "groups": ["dev"], "extra": {"scopes": ["a"]}}
    assert user_in({"authenticated": True, "user": said}) == ANN


def test_a_token_is_asked_for_once_a_minute(cluster: Any, tokens: TokenReviews) -> None:
    for seconds, questions in ((0, 1), (59, 1), (2, 2)):
        cluster.clock.pass_by(seconds)
        found = tokens.user_of("t-ann")
        assert found is not None
        assert found.name == "ann"
        assert asked(cluster, TOKEN_REVIEWS) == questions
    assert tokens.recall("t-ann") == (True, found)


def test_a_wrong_token_is_nobody_and_soon_asked_for_again(
    cluster: Any, tokens: TokenReviews
) -> None:
    for seconds, questions in ((0, 1), (9, 1), (2, 2)):
        cluster.clock.pass_by(seconds)
        assert tokens.user_of("t-bob") is None
        assert asked(cluster, TOKEN_REVIEWS) == questions
    for odd in ("", "x" * 20_000):
        assert tokens.user_of(odd) is None
    assert asked(cluster, TOKEN_REVIEWS) == 2


def test_a_token_for_another_audience_is_nobody(cluster: Any, tokens: TokenReviews) -> None:
    account = Account("system:serviceaccount:default:vppo", ("vppo:default/a",))
    cluster.server.reviews.accounts["t-pod"] = account
    assert tokens.user_of("t-pod") is None


def test_nobody_is_let_in_while_the_cluster_is_away(cluster: Any, tokens: TokenReviews) -> None:
    cluster.server.is_unavailable = True
    with pytest.raises(StoreUnavailableError):
        tokens.user_of("t-ann")
    cluster.server.is_unavailable = False
    assert tokens.user_of("t-ann") is not None
    cluster.server.fail_next(KubeForbiddenError("cannot create resource tokenreviews"))
    with pytest.raises(StoreUnavailableError, match="must have its rights"):
        tokens.user_of("t-new")


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "grant"),
    [
        ("create", "vppojobs", "team", ("create", "vppojobs", "team")),
        ("list", "vppojobs", "team", ("list", "vppojobs", "team")),
        ("watch", "vppojobs", "team", ("watch", "vppojobs", "team")),
        ("get", "vppojobs/log", "team", ("get", "pods/log", "team")),
        ("patch", "webhooks", "team", ("patch", "vppojobs", "team")),
        ("list", "queues", "team", ("list", "vppojobs", "team")),
    ],
)
def test_a_right_is_that_of_the_same_kubectl_call(
    cluster: Any, rights: AccessReviews, verb: str, resource: str, namespace: str, grant: Any
) -> None:
    assert rights.recall(ANN, verb, resource, namespace) is None
    assert not rights.ask(ANN, verb, resource, namespace)
    cluster.server.reviews.grants.add(("ann", *grant))
    cluster.clock.pass_by(11)
    assert rights.ask(ANN, verb, resource, namespace)
    for other in (("delete", resource, namespace), (verb, resource, "other")):
        assert not rights.ask(ANN, *other)
    assert not rights.ask(User("bob"), verb, resource, namespace)


def test_what_is_of_no_namespace_is_for_every_known_caller(
    cluster: Any, rights: AccessReviews
) -> None:
    assert rights.recall(ANN, "list", "pools", "") is True
    assert rights.recall(ANN, "get", "schemas", "") is True
    assert cluster.server.calls == []


def test_an_answer_holds_for_ten_seconds(cluster: Any, rights: AccessReviews) -> None:
    call = (ANN, "get", "vppojobs", "team")
    assert not rights.ask(*call)
    cluster.server.reviews.grants.add(("ann", "get", "vppojobs", "team"))
    for seconds, known in ((0, False), (9, False), (2, None)):
        cluster.clock.pass_by(seconds)
        assert rights.recall(*call) is known
    assert rights.ask(*call)
    assert rights.recall(*call) is True
    assert rights.recall(User("ann", "u-1", ("other",)), *call[1:]) is None


def test_the_cluster_is_told_all_that_it_knows_of_the_user() -> None:
    seen = []

    class FakeServer:
        def create(self, kind: Any, body: Any) -> Any:
            seen.append((kind, body["spec"]))
            return {"status": {"allowed": True, "denied": True}}

    assert not AccessReviews(FakeServer()).ask(ANN, "get", "vppojobs/log", "team")  # type: ignore[arg-type]
    [(kind, spec)] = seen
    assert kind == ACCESS_REVIEWS
    assert spec == {
        "user": "ann",
        "uid": "u-1",
        "groups": ["dev"],
        "extra": {"scopes": ["a"]},
        "resourceAttributes": {
            "namespace": "team",
            "verb": "get",
            "group": "",
            "resource": "pods",
            "subresource": "log",
        },
    }


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    now = 0.0
    memory: Memory[int, int] = Memory(lambda: now, max_entries=3)
    memory.keep(0, 0, 1.0)
    for key in (1, 2):
        memory.keep(key, key, 10.0)
    now = 2.0
    memory.keep(3, 3, 10.0)
    assert [memory.find(key)[0] for key in range(4)] == [False, True, True, True]
    memory.keep(4, 4, 10.0)
    assert [memory.find(key)[0] for key in range(1, 5)] == [False, True, True, True]
