"""The training loop.

    prompts -> rollout -> reward -> [groups that disagree] -> dependency -> assemble -> learner
       ^                                     |                                            |
       |                                     v                                            |
       +---- refill <---- all right, all wrong: dropped          weights, version + 1 <---+

A group is graded when its last rollout is finished and scored as soon as its grades disagree,
while other groups are still sampled. `assemble` waits for all of them, because advantage shaping
and token filtering are defined on the whole mini-batch.
"""

from collections.abc import Sequence
from typing import Any

from vppo_core.batch.axes import nbytes
from vppo_services.driver.assemble import Assembled, assemble
from vppo_services.driver.groups import Group, GroupArrays
from vppo_services.driver.metrics import sampling_values, training_values, update_values
from vppo_services.driver.run import Run


def train(run: Run) -> None:
    """Train until `learner.numSteps`, or until somebody asks to stop.

    Raises:
        VPPOError: a role failed, the signal ran out, the run diverged; checkpoints stay.
    """
    clock = run.clock
    while run.step < run.job.learner.num_steps and not run.drain.requested:
        step = run.step + 1
        run.begin_step(step)
        with run.stage("sample"):
            groups, stats = run.collector.collect(step)
        with run.stage("dependency"):
            arrays = [group.fetch() for group in groups]
        with run.stage("assemble"):
            batches = [assemble(part, run.job.algorithm) for part in _mini_batches(arrays, run)]
        with run.stage("update"):
            begun = _begin_updates(run, batches, groups)
            # The learner computes meanwhile, and the driver has nothing else to do.
            values = sampling_values(stats, kept=len(groups), carried=len(run.collector.carried))
            values |= training_values(batches, run.job, version=step - 1)
            updates = [run.fleet.end_update(one, step=step) for one in begun]
        with run.stage("publish"):
            run.fleet.publish(step, step=step)

        values |= update_values(updates)
        values["samples_per_second"] = values["samples_trained"] / clock.step_seconds
        scored = sum(nbytes(group.scores) for group in arrays)
        trained = sum(nbytes(assembled.batch) for assembled in batches)
        values["object_store_bytes"] = float(stats.stored_bytes + scored + trained)
        run.finish_step(step, values, arrays, batches)


def _mini_batches(arrays: Sequence[GroupArrays], run: Run) -> list[Sequence[GroupArrays]]:
    size = run.job.learner.prompts_per_update
    return [arrays[start : start + size] for start in range(0, len(arrays), size)]


def _begin_updates(
    run: Run, batches: Sequence[Assembled], groups: Sequence[Group]
) -> list[list[Any]]:
    """All updates of a step at once: the learner need not wait for the driver between two."""
    size = run.job.learner.prompts_per_update
    begun = []
    for index, assembled in enumerate(batches):
        prompts = [group.prompts.ref for group in groups[index * size : (index + 1) * size]]
        begun.append(run.fleet.begin_update(assembled.batch, prompts))
    return begun
