"""What must hold at any time, whatever happens to the operator."""

import json
from typing import TYPE_CHECKING, Any

from vppo_core.kube.kinds import PODS, RAY_JOBS, VPPO_JOBS
from vppo_core.spec.status import AttemptStatus, JobPhase, VPPOJobStatus

if TYPE_CHECKING:
    from tests.sim.world import World

_OVER = ("Complete", "Failed", "ValidationFailed")


class Invariants:
    """Looks at a world after every step.

    Never two live attempts of a job; a final phase is final; ended attempts keep every field;
    charged attempts are within the budget; usage only grows; allocated is at least productive.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._before: dict[str, VPPOJobStatus] = {}
        self._ended: dict[tuple[str, int], AttemptStatus] = {}

    def check(self) -> None:
        """Raise an AssertionError where something does not hold."""
        self._one_live_attempt()
        for job in self._world.store.list(VPPO_JOBS):
            status = VPPOJobStatus.model_validate_json(json.dumps(job.get("status") or {}))
            self._check_status(job, status)
            self._before[job["metadata"]["uid"]] = status

    def live_attempts(self) -> dict[str, set[str]]:
        """Attempts by job that may train, or hold what another one needs."""
        live: dict[str, set[str]] = {}
        store = self._world.store
        for one in [*store.list(PODS), *store.list(RAY_JOBS)]:
            labels = one["metadata"]["labels"]
            state = one.get("status", {}).get("jobDeploymentStatus")
            # A RayJob that is over starts no driver any more; pods tell whether one still runs.
            is_over = one["kind"] == RAY_JOBS.name and state in _OVER
            if one["kind"] == PODS.name:
                is_over = one["status"].get("phase") in ("Failed", "Succeeded")
            if not is_over:
                live.setdefault(labels["vppo.io/job"], set()).add(labels["vppo.io/attempt"])
        return live

    def _one_live_attempt(self) -> None:
        for job, attempts in self.live_attempts().items():
            assert len(attempts) <= 1, f"{job} has the live attempts {sorted(attempts)}"
        running = [
            one.attempt.uid for one in self._world.crew.drivers if one.job_status == "RUNNING"
        ]
        assert len(running) == len(set(running)), "two drivers train one job"

    def _check_status(self, job: Any, status: VPPOJobStatus) -> None:
        uid = job["metadata"]["uid"]
        before = self._before.get(uid)
        if before is not None:
            if before.phase.is_final:
                assert status.phase is before.phase, f"left {before.phase} for {status.phase}"
            old, new = before.usage, status.usage
            for field in ("gpu_seconds_allocated", "gpu_seconds_productive"):
                assert getattr(new, field) >= getattr(old, field) - 1e-6, f"{field} fell"
            assert status.attempt >= before.attempt
        usage = status.usage
        assert usage.gpu_seconds_allocated >= usage.gpu_seconds_productive - 1e-6
        for attempt in status.attempts:
            self._check_attempt(uid, attempt)
        budget = job["spec"].get("scheduling", {}).get("maxAttempts", 3)
        charged = sum(one.charged for one in status.attempts)
        assert charged <= budget, f"{charged} charged attempts of {budget}"
        if status.phase is JobPhase.SUCCEEDED:
            assert status.attempts[-1].outcome is not None

    def _check_attempt(self, uid: str, attempt: AttemptStatus) -> None:
        known = self._ended.get((uid, attempt.index))
        assert known is None or known == attempt, f"an ended attempt changed: {known} {attempt}"
        if attempt.ended is not None:
            self._ended[uid, attempt.index] = attempt

    def lost_attempts(self, uid: str, recorded: set[int]) -> set[int]:
        """Ended attempts of a job that are not among those recorded."""
        return {index for known, index in self._ended if known == uid} - recorded
