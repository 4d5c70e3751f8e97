"""Two operators and a Lease: one works, and when it dies the other goes on from there."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.kube.jobs import born, names, now_of, phases, submit
from tests.integration.kube.operators import OperatorProcess, wait_until
from tests.integration.kube.release import install_rights
from tests.integration.kube.server import ApiServer
from vppo_core.kube.client import KubeClient
from vppo_core.kube.kinds import LEASES, RAY_JOBS

JOBS = [f"job-{number:02}" for number in range(20)]
SLOWLY = {"WRITES_PER_SECOND": "40", "WRITE_BURST": "1", "WORKERS": "4", "LEASE": "true"}
LEASE = "vppo-operator"


@pytest.fixture
def pair(field: ApiServer, plot: str, tmp_path: Path) -> Iterator[list[OperatorProcess]]:
    """Two operators that were started at the same time: the one that leads, and the other."""
    install_rights(field.kube(), plot, "--set=operator.replicas=2")
    both: list[OperatorProcess] = []
    try:
        for name in ("left", "right"):
            both.append(OperatorProcess(field, tmp_path, plot, name, **SLOWLY))
        for one in both:
            one.await_word("ready", "standby")

        def leading() -> list[OperatorProcess]:
            return [one for one in both if one.probe("/readyz")[1] == "ready"]

        wait_until(lambda: bool(leading()), lambda: [one.log for one in both])
        [leader] = leading()
        yield sorted(both, key=lambda one: one is not leader)
    finally:
        for one in both:
            one.end()


def holder(kube: KubeClient, namespace: str) -> str:
    lease = kube.get(LEASES, namespace, LEASE)
    assert lease is not None
    return str(lease["spec"]["holderIdentity"])


def shorten(kube: KubeClient, namespace: str, seconds: int) -> float:
    """Make the Lease that its holder left behind run out sooner; when that was."""
    spec = {"leaseDurationSeconds": seconds}
    kube.patch(LEASES, namespace, LEASE, {"spec": spec})
    return time.monotonic()


def test_the_other_goes_on_when_the_leader_is_killed_over_its_work(
    field: ApiServer, plot: str, pair: list[OperatorProcess]
) -> None:
    kube, since = field.kube(), now_of(field, RAY_JOBS)
    leader, other = pair
    assert holder(kube, plot) == leader.name
    for one, word, leads in ((leader, "ready", 1.0), (other, "standby", 0.0)):
        assert one.probe("/readyz") == (200, word)
        assert one.probe("/healthz") == (200, "ok")
        assert one.metric("vppo_operator_leader") == leads

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: submit(kube, plot, name), JOBS))
    wait_until(lambda: len(names(kube, RAY_JOBS, plot)) >= 3, lambda: leader.log, every=0.02)
    leader.signal(signal.SIGKILL)
    leader.await_end()
    done = names(kube, RAY_JOBS, plot)
    assert len(done) < len(JOBS), "the leader must die over its work"
    assert other.probe("/readyz") == (200, "standby")
    shortened = shorten(kube, plot, 3)

    other.await_word("ready")
    assert time.monotonic() - shortened > 3.0
    assert holder(kube, plot) == other.name
    assert other.metric("vppo_operator_leader") == 1.0
    assert other.probe("/healthz") == (200, "ok")
    wanted = [f"{name}-a1" for name in JOBS]
    other.await_that(lambda: names(kube, RAY_JOBS, plot) == wanted)
    other.await_that(lambda: set(phases(kube, plot).values()) == {"Starting"})
    assert born(field, RAY_JOBS, since) == [(plot, name) for name in wanted]
    assert "forbidden" not in leader.log + other.log


def test_a_leader_that_slept_through_its_lease_ends(
    field: ApiServer, plot: str, pair: list[OperatorProcess]
) -> None:
    kube = field.kube()
    leader, other = pair
    leader.signal(signal.SIGSTOP)
    shorten(kube, plot, 2)
    other.await_word("ready")
    submit(kube, plot)
    other.await_that(lambda: names(kube, RAY_JOBS, plot) == ["demo-a1"])
    leader.signal(signal.SIGCONT)
    assert leader.await_end() == 1
    assert "the Lease is lost" in leader.log
    assert holder(kube, plot) == other.name
    other.signal(signal.SIGTERM)
    assert other.await_end() == 0
    assert holder(kube, plot) == ""  # given up: nobody has to wait for its end
