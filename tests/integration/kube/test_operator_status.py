"""The status as the operator writes it, in the eyes of kubectl."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kube.jobs import names, phase_of, play, submit
from tests.integration.kube.mortal import SteppedOperator
from tests.integration.kube.release import install_rights, token_of
from tests.integration.kube.server import ApiServer
from vppo_core.kube.kinds import RAY_JOBS, VPPO_JOBS


@pytest.fixture
def operator(field: ApiServer, plot: str, tmp_path: Path) -> Iterator[SteppedOperator]:
    install_rights(field.kube(), plot)
    own = field.kube(token_of(field, plot, "vppo-operator"))
    operator = SteppedOperator(tmp_path, plot, lambda: own)
    yield operator
    operator.close()


def row(field: ApiServer, namespace: str) -> dict[str, str]:
    """The line of `kubectl get vj -o wide`, without the age."""
    header, line = field.kubectl("get", "vj", "-n", namespace, "-o", "wide").splitlines()
    starts = {word: header.index(word) for word in header.split()}
    ends = [*list(starts.values())[1:], None]
    cells = zip(starts.items(), ends, strict=True)
    cut = {word: line[start:end].strip() for (word, start), end in cells}
    return {word: text for word, text in cut.items() if word != "AGE"}


def waiting(field: ApiServer, namespace: str, what: str) -> subprocess.Popen[str]:
    kubectl = [str(field.assets / "kubectl"), "--kubeconfig", str(field.kubeconfig())]
    wish = ["wait", f"--for={what}", "vj/demo", "-n", namespace, "--timeout=40s"]
    return subprocess.Popen([*kubectl, *wish], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("ends", ["Succeeded", "Failed", "Cancelled"])
def test_columns_and_waits_follow_a_job_to_its_end(
    field: ApiServer, plot: str, operator: SteppedOperator, ends: str
) -> None:
    kube = field.kube()
    job = submit(kube, plot, scheduling={"maxAttempts": 1}, learner={"numSteps": 7})
    assert row(field, plot)["PHASE"] == ""
    operator.look_until(lambda: names(kube, RAY_JOBS, plot) == ["demo-a1"])
    play(kube, plot, "demo-a1", "RUNNING", "Running")
    operator.look_until(lambda: phase_of(kube, plot) == "Starting")
    wanted = {"NAME": "demo", "PHASE": "Starting", "STEP": "", "ATTEMPT": "1", "REASON": "Starting"}
    assert row(field, plot) == wanted | {"QUEUE": "default", "GPUS": "0"}
    operator.report(job["metadata"]["uid"], 2, 7)
    operator.look_until(lambda: phase_of(kube, plot) == "Running")
    wanted |= {"PHASE": "Running", "STEP": "2/7", "REASON": "Training"}
    assert row(field, plot) == wanted | {"QUEUE": "default", "GPUS": "0"}
    waits = [
        waiting(field, plot, "condition=Finished"),
        waiting(field, plot, f"jsonpath={{.status.phase}}={ends}"),
        waiting(field, plot, f"condition=Succeeded={ends == 'Succeeded'}"),
    ]
    assert [one.poll() for one in waits] == [None] * 3

    match ends:
        case "Succeeded":
            play(kube, plot, "demo-a1", "SUCCEEDED", "Complete")
        case "Failed":
            play(kube, plot, "demo-a1", "FAILED", "Failed")
        case _:
            kube.patch(VPPO_JOBS, plot, "demo", {"spec": {"desiredState": "Cancelled"}})
    operator.look_until(lambda: phase_of(kube, plot) == ends)
    for one in waits:
        text, _ = one.communicate(timeout=45)
        assert (one.returncode, "condition met" in text) == (0, True)
    assert row(field, plot)["PHASE"] == ends
