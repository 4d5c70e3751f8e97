"""The reward role on Ray: one process that owns the pool of grading processes."""

from functools import partial
from typing import Any, Final

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayError

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import RoleDiedError, RoleTimeoutError, VPPOError
from vppo_core.rewards.base import Verdict
from vppo_core.spec.placement import PoolSpec
from vppo_core.spec.reward import RewardSpec
from vppo_services.transport.report import RoleReport
from vppo_services.transport.role_log import RoleLog
from vppo_services.transport.role_metrics import RoleMetrics

_START_SECONDS: Final = 180.0
_GROUPS_AT_ONCE: Final = 32


class RewardDeployment:
    """Grades trajectories; many groups at once when Ray gives it several threads."""

    def __init__(self, spec: RewardSpec, workers: int, replica: int = 0) -> None:
        self._log = RoleLog("reward", replica)
        from vppo_services.reward.engine import RewardEngine

        self._make_engine = partial(RewardEngine, spec, workers)
        self._metrics = RoleMetrics("reward", replica)

    def open(self) -> None:
        """Start the grading processes; call it once, before anything else.

        Not part of the constructor, because Ray gives what a constructor raises back as text only,
        and the caller needs the error itself.

        Raises:
            InvalidSpecError: the grader cannot be loaded.
        """
        self._engine = self._make_engine()
        self._log.ready("the grading processes are up")

    def grade(self, prompts: PromptBatch, trajectories: TrajectoryBatch) -> RewardBatch:
        """Rewards of B trajectories against the answers of the prompts they were made from."""
        answers = [prompts.answers[int(row)] for row in trajectories.prompt_index]
        with self._metrics.working():
            graded = self._engine.grade(trajectories.texts, answers)
        self._metrics.add("replica_reward_timeouts", graded.verdicts.count(Verdict.TIMEOUT))
        return graded

    def report(self, next_step: int) -> RoleReport:
        """What was graded since this was last asked; from here on it works for `next_step`."""
        return RoleReport.of(self._metrics, self._log, next_step=next_step)

    def counts(self) -> dict[str, int]:
        """Answers graded so far, by verdict."""
        return self._engine.counts()

    def ping(self) -> list[int]:
        """Ids of the grading processes; a reply means that the role is up."""
        return self._engine.pids()

    def close(self) -> None:
        """End the grading processes."""
        self._engine.close()


def start(spec: RewardSpec, pool: PoolSpec, replica: int = 0, **ray_options: Any) -> ActorHandle:
    """Handle of a reward role that is up: every grading process has loaded the grader.

    Args:
        pool: `replicas` grading processes on one node, with `cpus` and `gpus` for each.
        replica: number of this Ray process within the role.
        ray_options: options of the Ray process; `num_cpus`, `num_gpus` and `max_concurrency`
            (groups graded at once) replace what follows from the pool.

    Raises:
        InvalidSpecError: the grader cannot be loaded.
        RoleDiedError: the role ended while it started.
        RoleTimeoutError: it did not start in time; most often the node has too few CPUs for it.
    """
    options: dict[str, Any] = {
        "num_cpus": pool.replicas * pool.cpus,
        "num_gpus": pool.replicas * pool.gpus,
        "max_concurrency": _GROUPS_AT_ONCE,
        **ray_options,
    }
    handle = ray.remote(RewardDeployment).options(**options).remote(spec, pool.replicas, replica)
    try:
        ray.get(handle.open.remote(), timeout=_START_SECONDS)
    except (RayError, TimeoutError) as error:
        ray.kill(handle)
        raise _as_own_error(error, options) from error
    return handle


def _as_own_error(error: Exception, options: dict[str, Any]) -> VPPOError:
    cause = getattr(error, "cause", None)
    if isinstance(cause, VPPOError):
        return cause
    if isinstance(error, TimeoutError):
        return RoleTimeoutError(
            f"the reward role must start within {_START_SECONDS:g} s and did not, with "
            f"{options['num_cpus']} CPUs asked of one node; lower placement.reward, or add CPUs"
        )
    return RoleDiedError(f"the reward role ended while it started: {error}")
