"""What each role's processes measure, through Ray's metrics agent.

Ray invents the sum of a histogram from its buckets, so times are counters of seconds beside
counters of calls: their quotient is a true mean. Labels name the role and the replica, since Ray
keeps one series for each process.
"""

from typing import Final

from vppo_core.catalogue.entry import Metric, Owner, Page

_any = Owner(Page.ROLES, "transport")
_rollout = Owner(Page.ROLES, "rollout")
_reward = Owner(Page.ROLES, "reward")
_learner = Owner(Page.ROLES, "learner")

_WHO: Final = ("role", "replica")

ROLES: Final[tuple[Metric, ...]] = (
    _any.counter(
        "replica_busy_seconds",
        "seconds",
        "Time in which the process sampled, graded, scored or learned.",
        *_WHO,
    ),
    _any.counter(
        "replica_calls",
        "calls",
        "Calls that computed: sampling, grading, scoring, an update.",
        *_WHO,
    ),
    _any.gauge("replica_policy_version", "version", "Version of the weights it has.", *_WHO),
    _any.counter(
        "replica_weight_sync_seconds", "seconds", "Time of taking or sending weights.", *_WHO
    ),
    _any.counter("replica_weight_syncs", "weights", "Times that it took or sent weights.", *_WHO),
    _any.gauge("replica_memory_bytes", "bytes", "Resident memory of the process.", *_WHO),
    _any.gauge(
        "replica_gpu_memory_bytes", "bytes", "Memory of the GPU that torch has reserved.", *_WHO
    ),
    _rollout.counter(
        "replica_tokens_generated",
        "tokens",
        "Response tokens sampled, evaluations included.",
        *_WHO,
    ),
    _rollout.counter(
        "replica_samples_generated", "answers", "Answers sampled, evaluations included.", *_WHO
    ),
    _reward.counter(
        "replica_reward_timeouts", "answers", "Answers whose grading took too long.", *_WHO
    ),
    _learner.counter("replica_tokens_trained", "tokens", "Response tokens trained on.", *_WHO),
)
