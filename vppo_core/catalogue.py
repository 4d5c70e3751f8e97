"""Every metric of a run: name, unit, help, labels, reduction, owner.

The only place where metrics are named. Code uses the short key (`METRICS["reward_mean"]`); the
Prometheus name and the MLflow key are read from the entry. A labelled metric is written as its key
with the label's value in braces: `stage_seconds{sample}`. A counter's value in a step is what was
added during that step.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """How Prometheus stores a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Reduction(StrEnum):
    """How several values of one step, from updates or replicas, become one."""

    MEAN = "mean"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    LAST = "last"


STAGES: Final = (
    "sample",
    "reward",
    "dependency",
    "assemble",
    "update",
    "publish",
    "checkpoint",
    "evaluate",
)
"""Values of the label `stage`, in the order of a step."""

SECONDS_BUCKETS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric, as every sink, dashboard and page knows it."""

    key: str  # in code and in metrics.jsonl
    name: str  # in Prometheus: base units, `_total` on counters
    mlflow_key: str  # in MLflow; a label's value is appended after a slash
    unit: str
    help: str
    kind: Kind
    labels: tuple[str, ...]
    reduction: Reduction
    owner: str  # the room that measures it
    buckets: tuple[float, ...] = ()  # upper bounds, histograms only


def _gauge(
    key: str, mlflow_key: str, unit: str, owner: str, text: str, *labels: str, by: str = "mean"
) -> Metric:
    return _metric(Kind.GAUGE, key, mlflow_key, unit, owner, text, labels, by)


def _counter(key: str, mlflow_key: str, unit: str, owner: str, text: str, *labels: str) -> Metric:
    return _metric(Kind.COUNTER, key, mlflow_key, unit, owner, text, labels, "sum")


def _seconds(key: str, mlflow_key: str, owner: str, text: str) -> Metric:
    return _metric(Kind.HISTOGRAM, key, mlflow_key, "seconds", owner, text, (), "sum")


def _metric(
    kind: Kind,
    key: str,
    mlflow_key: str,
    unit: str,
    owner: str,
    text: str,
    labels: tuple[str, ...],
    by: str,
) -> Metric:
    suffix = "_total" if kind is Kind.COUNTER else ""
    if unit in ("seconds", "bytes", "nats") and not key.endswith(unit):
        suffix = f"_{unit}{suffix}"
    return Metric(
        key=key,
        name=f"vppo_{key}{suffix}",
        mlflow_key=mlflow_key,
        unit=unit,
        help=text,
        kind=kind,
        labels=labels,
        reduction=Reduction(by),
        owner=owner,
        buckets=SECONDS_BUCKETS if kind is Kind.HISTOGRAM else (),
    )


_ENTRIES: Final = (
    # Progress.
    _gauge("step", "progress/step", "steps", "driver",
           "Weight updates done by the run.", by="last"),
    _gauge("policy_version", "progress/policy_version", "version", "driver",
           "Version of the weights that the rollout role answers from.", by="last"),
    _seconds("step_seconds", "time/step_seconds", "driver", "Wall time of a whole step."),
    _gauge("stage_seconds", "time/stage_seconds", "seconds", "driver",
           "Wall time of a stage within the last step; stages overlap.", "stage", by="sum"),
    _gauge("role_busy_seconds", "time/role_busy_seconds", "seconds", "driver",
           "Seconds that a role's replicas computed for the last step, summed.", "role", by="sum"),
    _gauge("samples_per_second", "time/samples_per_second", "samples/second", "driver",
           "Answers trained on, per second of the step."),
    _gauge("object_store_bytes", "transport/object_store_bytes", "bytes", "driver",
           "Bytes of batches put into the object store in the step.", by="sum"),
    # Reward and the groups it decides on.
    _gauge("reward_mean", "reward/mean", "reward", "reward", "Mean reward of all sampled answers."),
    _gauge("reward_std", "reward/std", "reward", "reward",
           "Standard deviation of the reward of all sampled answers."),
    _gauge("accuracy_mean", "reward/accuracy", "share", "reward",
           "Share of right answers among all sampled, before groups are dropped."),
    _counter("reward_verdicts", "reward/verdicts", "answers", "reward",
             "Graded answers by the grader's verdict.", "verdict"),
    _gauge("groups_sampled", "groups/sampled", "groups", "driver",
           "Groups sampled in the step.", by="sum"),
    _gauge("groups_kept", "groups/kept", "groups", "driver",
           "Groups trained on in the step.", by="sum"),
    _gauge("groups_dropped_right", "groups/dropped_right", "groups", "driver",
           "Groups dropped because every answer was right.", by="sum"),
    _gauge("groups_dropped_wrong", "groups/dropped_wrong", "groups", "driver",
           "Groups dropped because every answer was wrong.", by="sum"),
    _gauge("groups_carried", "groups/carried", "groups", "driver",
           "Surplus groups kept for the next step.", by="last"),
    _gauge("groups_stale", "groups/stale", "groups", "driver",
           "Carried groups dropped because their policy was too old.", by="sum"),
    _gauge("sampling_rounds", "groups/sampling_rounds", "rounds", "driver",
           "Sampling rounds until enough groups carried signal.", by="sum"),
    # Answers.
    _gauge("response_tokens_mean", "response/tokens_mean", "tokens", "rollout",
           "Mean length of the sampled answers."),
    _gauge("response_tokens_max", "response/tokens_max", "tokens", "rollout",
           "Length of the longest sampled answer.", by="max"),
    _gauge("truncated_share", "response/truncated_share", "share", "rollout",
           "Share of answers cut at rollout.maxResponseTokens."),
    # Visual dependency and what the method makes of it.
    _gauge("token_dependency_mean", "dependency/mean", "nats", "dependency",
           "Mean dependency of a response token on the image."),
    _gauge("token_dependency_p90", "dependency/p90", "nats", "dependency",
           "90th percentile of token dependency."),
    _gauge("token_dependency_visible_share", "dependency/visible_share", "share", "dependency",
           "Share of response tokens whose dependency is above 0.01 nats."),
    _gauge("blindness", "dependency/blindness", "flag", "dependency",
           "1 when mean token dependency is near zero: the policy ignores the image.", by="max"),
    _gauge("perturbed_share", "dependency/perturbed_share", "share", "dependency",
           "Share of answers for which at least one pixel was masked."),
    _gauge("shaping_weight_min", "shaping/weight_min", "factor", "driver",
           "Smallest weight of trajectory advantage shaping.", by="min"),
    _gauge("shaping_weight_mean", "shaping/weight_mean", "factor", "driver",
           "Mean weight of trajectory advantage shaping."),
    _gauge("shaping_weight_max", "shaping/weight_max", "factor", "driver",
           "Largest weight of trajectory advantage shaping.", by="max"),
    _gauge("token_keep_share", "filtering/token_keep_share", "share", "driver",
           "Share of response tokens that keep their gradient."),
    # Learner.
    _gauge("policy_loss", "learner/policy_loss", "loss", "learner",
           "Clipped surrogate, per response token."),
    _gauge("penalty", "learner/penalty", "loss", "learner",
           "Penalty term of the loss, before its coefficient."),
    _gauge("reference_kl", "learner/reference_kl", "nats", "learner",
           "Mean KL estimate from the loaded model."),
    _gauge("approx_kl", "learner/approx_kl", "nats", "learner",
           "Mean KL estimate between the policy before and during the update."),
    _gauge("nll_mean", "learner/nll", "nats", "learner",
           "Mean negative log-probability of the sampled tokens."),
    _gauge("entropy_mean", "learner/entropy", "nats", "learner",
           "Mean entropy of the policy at response tokens, where the job computes it."),
    _gauge("ratio_mean", "learner/ratio", "ratio", "learner",
           "Mean importance ratio of the trained tokens."),
    _gauge("clip_share", "learner/clip_share", "share", "learner",
           "Share of trained tokens whose ratio was clipped."),
    _gauge("grad_norm", "learner/grad_norm", "norm", "learner",
           "Global gradient norm before it is limited."),
    _gauge("learning_rate", "learner/learning_rate", "rate", "learner",
           "Learning rate of the last update.", by="last"),
    _counter("skipped_updates", "learner/skipped_updates", "updates", "learner",
             "Updates skipped because their gradient was not finite."),
    _gauge("rollout_logprob_mismatch", "mismatch/rollout_logprob", "nats", "driver",
           "Mean absolute difference of sampled and learner log-probabilities of a token."),
    _gauge("rollout_mismatch_kl", "mismatch/rollout_kl", "nats", "driver",
           "KL estimate from the learner's policy to the sampler's."),
    # Durability, data and the trackers themselves.
    _seconds("checkpoint_seconds", "checkpoint/seconds", "driver",
             "Time from the start of a checkpoint until it is complete."),
    _gauge("checkpoint_step", "checkpoint/step", "steps", "driver",
           "Step of the last complete checkpoint.", by="last"),
    _counter("checkpoint_failures", "checkpoint/failures", "checkpoints", "driver",
             "Checkpoints that could not be written."),
    _counter("quarantined_rows", "data/quarantined_rows", "rows", "data",
             "Rows set aside because they cannot be trained on."),
    _gauge("evaluation_accuracy", "evaluation/accuracy", "share", "evaluation",
           "Share of right answers to held-out questions.", by="last"),
    _gauge("sink_pending", "tracking/pending", "records", "observability",
           "Records that wait on disk for a tracker.", "sink", by="last"),
    _counter("sink_dropped", "tracking/dropped", "records", "observability",
             "Records lost: the spool was full, the disk was full, or the tracker refused them.",
             "sink"),
    _counter("nonfinite_values", "tracking/nonfinite_values", "values", "observability",
             "Metric values that were NaN or infinite."),
)  # fmt: skip

METRICS: Final[Mapping[str, Metric]] = MappingProxyType({entry.key: entry for entry in _ENTRIES})
"""All metrics by their short key."""

_REFERENCE: Final = re.compile(r"(?P<key>[a-z0-9_]+)(?:\{(?P<labels>[A-Za-z0-9_.,-]+)\})?")


def metric(key: str) -> Metric:
    """The catalogue entry of a short key, without label values.

    Raises:
        LookupError: nobody catalogued the key; the message names the nearest one.
    """
    if key in METRICS:
        return METRICS[key]
    near = get_close_matches(key, METRICS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise LookupError(f"a metric must stand in vppo_core/catalogue.py, got {key!r}{hint}")


def parse(reference: str) -> tuple[Metric, tuple[str, ...]]:
    """Entry and label values of a reference such as `reward_mean` or `stage_seconds{sample}`.

    Raises:
        LookupError: the key is not catalogued, or the label values are not one for each label.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise LookupError(f"a metric is written `key` or `key{{value}}`, got {reference!r}")
    entry = metric(match["key"])
    values = tuple(match["labels"].split(",")) if match["labels"] else ()
    if len(values) != len(entry.labels):
        raise LookupError(
            f"{entry.key} has the labels {list(entry.labels)}, got {reference!r}; "
            f"give one value for each"
        )
    return entry, values


def labelled(key: str, *values: str) -> str:
    """Reference to one series of a labelled metric: `labelled("stage_seconds", "sample")`."""
    return f"{key}{{{','.join(values)}}}"


def mlflow_name(reference: str) -> str:
    """MLflow key of a reference: `stage_seconds{sample}` is `time/stage_seconds/sample`."""
    entry, values = parse(reference)
    return "/".join((entry.mlflow_key, *values))
