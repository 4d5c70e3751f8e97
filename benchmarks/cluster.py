"""On a cluster: from `kubectl apply` to the first training step, and what the control image weighs.

KUBECONFIG names the cluster; VPPO_TEST_IMAGE (target `cpu`) and VPPO_BENCH_CONTROL_IMAGE (target
`control`) are on its nodes. The charts are installed for the measurement and removed after it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from benchmarks.cluster_image import MAX_IMAGE_MIB, control_image
from benchmarks.tables import Result, on_the_wire
from tests.e2e.tools import (
    NAMESPACE,
    Kubectl,
    api,
    demo_job,
    editor,
    forwarded,
    install,
    remove,
)
from vppo_core.errors import VPPOError

START_SECONDS: Final = 900.0
POLL_SECONDS: Final = 0.25
CONTROL_IMAGE: Final = "localhost/vppo:control"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What is measured."""

    control_image: str = os.environ.get("VPPO_BENCH_CONTROL_IMAGE", CONTROL_IMAGE)
    """The image of API and operator."""


def run(options: ClusterOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table.

    Raises:
        VPPOError: KUBECONFIG names no cluster, or a job does not come to its first step.
    """
    if not os.environ.get("KUBECONFIG"):
        raise VPPOError("KUBECONFIG must name a cluster with KubeRay, got nothing")
    with _release() as kubectl:
        # The demo trains its own start first, and keeps it on the volume of the jobs.
        cold, warm = _first_step(kubectl, "bench-cold"), _first_step(kubectl, "bench-warm")
        image = control_image(kubectl, options.control_image)
    report = {"shape": on_the_wire(options), "cold": cold, "warm": warm, "controlImage": image}
    return report, results(cold, warm, image)


def results(
    cold: dict[str, float], warm: dict[str, float], image: dict[str, float]
) -> list[Result]:
    """The lines of the table."""
    return [
        Result("apply to first step, with the demo's warm start", cold["firstStepSeconds"], "s"),
        Result("apply to first step, warm start on the volume", warm["firstStepSeconds"], "s"),
        Result("of these until all pods run", warm["podsSeconds"], "s"),
        Result("control image above its base, to pull", image["packedMib"], "MiB", MAX_IMAGE_MIB),
        Result("the same, unpacked", image["mib"], "MiB"),
        Result("start of the API in it", image["startSeconds"], "s"),
    ]


@contextmanager
def _release() -> Iterator[Kubectl]:
    kubectl = Kubectl()
    try:
        install()
        yield kubectl
    finally:
        remove(kubectl, NAMESPACE)


def _first_step(kubectl: Kubectl, name: str) -> dict[str, float]:
    """Seconds since the apply at which RayJob, pods and the first step were there."""
    kubectl.apply(demo_job(name, learner={"numSteps": 2}, evaluation={"maxPrompts": 1}))
    applied = time.time()
    seconds: dict[str, float] = {}
    try:
        while "firstStepSeconds" not in seconds:
            since = time.time() - applied
            if since > START_SECONDS:
                raise VPPOError(f"{name} made no step within {since:.0f} s: {kubectl.story(name)}")
            time.sleep(POLL_SECONDS)
            _look(kubectl, name, applied, seconds)
    finally:
        kubectl("delete", "vppojob", name, "--timeout=180s")
    return seconds


def _look(kubectl: Kubectl, name: str, applied: float, seconds: dict[str, float]) -> None:
    def note(what: str, at: float) -> None:
        seconds.setdefault(what, at - applied)

    if kubectl.items("rayjobs", "-l", f"vppo.io/job={name}"):
        note("rayJobSeconds", time.time())
    pods = kubectl.pods(name)
    if len(pods) == 5 and all(pod["status"].get("phase") == "Running" for pod in pods):
        note("podsSeconds", time.time())
    if kubectl.step(name) >= 1:
        note("firstStepSeconds", _time_of_first_step(kubectl, name))


def _time_of_first_step(kubectl: Kubectl, name: str) -> float:
    """When the driver had done it, by its own clock: the operator hears of it seconds later."""
    with forwarded(kubectl, "svc/vppo-api", 8080) as address, api(address, editor(kubectl)) as rest:
        lines: list[dict[str, Any]] = rest.get(f"/jobs/{name}/metrics").json()["items"]
    moment = next(line["time"] for line in lines if line["step"] == 1)
    return datetime.fromisoformat(moment).timestamp()
