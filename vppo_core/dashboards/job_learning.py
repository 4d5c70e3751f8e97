"""Row of one job about what it learns."""

from typing import Final

from vppo_core.dashboards.panel import Panel, Query, Row, lines
from vppo_core.dashboards.promql import increase, mean, most, own, quantile, total
from vppo_core.dashboards.shared_parts import bad_from, warn_from

_JOB: Final = "job_name"


def _of(*parts: tuple[str, str]) -> tuple[Query, ...]:
    """A line for each metric: its key and its legend."""
    return tuple(Query(expression=mean(own(key), _JOB), legend=legend) for key, legend in parts)


_LENGTHS: Final = own("response_tokens", suffix="_bucket")

LEARNING: Final = Row(
    title="Learning",
    panels=(
        Panel(
            title="Reward",
            description="Mean and standard deviation over all sampled answers. Flat with a "
            "deviation near 0: every answer gets the same, nothing can be learnt.",
            queries=_of(("reward_mean", "mean"), ("reward_std", "deviation")),
        ),
        Panel(
            title="Accuracy",
            description="Right answers while training, and to held-out questions.",
            queries=_of(("accuracy_mean", "training"), ("evaluation_accuracy", "held out")),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="Groups without signal",
            description="Share of groups whose answers were all right or all wrong. Near 1: the "
            "questions are too easy or too hard, see the groups beside it.",
            queries=_of(("no_signal_share", "without signal")),
            unit="percentunit",
            thresholds=warn_from(0.7, 0.9),
            least=0,
            most=1,
        ),
        Panel(
            title="Groups of a step",
            description="What became of the groups that were sampled.",
            queries=_of(
                ("groups_kept", "trained on"),
                ("groups_dropped_right", "all right"),
                ("groups_dropped_wrong", "all wrong"),
                ("groups_stale", "too old"),
                ("groups_carried", "kept for the next step"),
            ),
            is_stacked=True,
            least=0,
        ),
        Panel(
            title="Sampling",
            description="Groups sampled, and rounds until enough of them had signal.",
            queries=_of(("groups_sampled", "groups"), ("sampling_rounds", "rounds")),
            least=0,
        ),
        Panel(
            title="Verdicts of the grader",
            description="Graded answers by verdict. Many time-outs: see the reward role.",
            queries=lines(total(increase(own("reward_verdicts")), "verdict"), "{{verdict}}"),
            is_stacked=True,
            least=0,
        ),
        Panel(
            title="KL",
            description="Distance from the loaded model, and of each update from the policy "
            "before it. A jump is a step that was too large.",
            queries=_of(("reference_kl", "from the loaded model"), ("approx_kl", "of the update")),
        ),
        Panel(
            title="Entropy",
            description="Entropy, where the job computes it, and negative log-likelihood of the "
            "sampled tokens. Near 0: the policy says one thing only.",
            queries=_of(("entropy_mean", "entropy"), ("nll_mean", "log-likelihood")),
            least=0,
        ),
        Panel(
            title="Clipping",
            description="Share of tokens whose ratio was clipped.",
            queries=_of(("clip_share", "clipped")),
            unit="percentunit",
            least=0,
        ),
        Panel(
            title="Importance ratio",
            description="Mean over trained tokens; 1 while the policy is the one that sampled.",
            queries=_of(("ratio_mean", "ratio")),
        ),
        Panel(
            title="Loss",
            description="Clipped surrogate, and the penalty before its coefficient.",
            queries=_of(("policy_loss", "surrogate"), ("penalty", "penalty")),
        ),
        Panel(
            title="Gradient",
            description="Global norm before it is limited.",
            queries=_of(("grad_norm", "norm")),
            is_log=True,
        ),
        Panel(
            title="Learning rate",
            description="Of the last update.",
            queries=_of(("learning_rate", "rate")),
            unit="sci",
        ),
        Panel(
            title="Updates skipped",
            description="Their gradient was not finite.",
            queries=lines(total(increase(own("skipped_updates")), _JOB), "skipped"),
            thresholds=bad_from(1),
            least=0,
        ),
        Panel(
            title="Rollout against learner",
            description="How far the sampler's log-probabilities are from the learner's. It grows "
            "when weights were not taken, or the engines compute differently.",
            queries=_of(("rollout_logprob_mismatch", "difference"), ("rollout_mismatch_kl", "KL")),
            thresholds=bad_from(0.1),
        ),
        Panel(
            title="Length of answers",
            description="Tokens of trained answers, from the histogram, and the mean and longest "
            "of those sampled.",
            queries=(
                Query(expression=quantile(0.5, _LENGTHS), legend="p50"),
                Query(expression=quantile(0.95, _LENGTHS), legend="p95"),
                Query(expression=quantile(0.99, _LENGTHS), legend="p99"),
                *_of(
                    ("response_tokens_p50", "p50 of the step"),
                    ("response_tokens_p95", "p95 of the step"),
                    ("response_tokens_mean", "mean of the step"),
                    ("response_tokens_max", "longest of the step"),
                ),
            ),
            least=0,
        ),
        Panel(
            title="Answers that were cut",
            description="At rollout.maxResponseTokens. Many: raise it, or the answers ramble.",
            queries=_of(("truncated_share", "cut")),
            unit="percentunit",
            thresholds=warn_from(0.2, 0.5),
            least=0,
            most=1,
        ),
        Panel(
            title="Age of the policy that answered",
            description="Versions between the newest weights and the oldest answer trained on.",
            queries=lines(most(own("policy_staleness_max"), _JOB), "versions"),
            least=0,
        ),
    ),
)
