"""What a run measures of the method: dependency on the image, and what the learner makes of it."""

from typing import Final

from vppo_core.catalogue.entry import Metric, Owner, Page

_driver = Owner(Page.RUN, "driver")
_rollout = Owner(Page.RUN, "rollout")
_dependency = Owner(Page.RUN, "dependency")
_learner = Owner(Page.RUN, "learner")

NATS_BUCKETS: Final = (1e-5, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TOKEN_BUCKETS: Final = (8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0)

SIGNAL: Final[tuple[Metric, ...]] = (
    # Visual dependency and what the method makes of it.
    _dependency.gauge("token_dependency_mean", "nats",
        "Mean dependency of a response token on the image.", mlflow="dependency/mean", by="mean"),
    _dependency.gauge("token_dependency_p90", "nats",
        "90th percentile of token dependency.", mlflow="dependency/p90", by="mean"),
    _dependency.gauge("token_dependency_visible_share", "share",
        "Share of response tokens whose dependency is above 0.01 nats.",
        mlflow="dependency/visible_share", by="mean"),
    _dependency.gauge("blindness", "flag",
        "1 when mean token dependency is near zero: the policy ignores the image.",
        mlflow="dependency/blindness", by="max"),
    _dependency.gauge("perturbed_share", "share",
        "Share of answers for which at least one pixel was masked.",
        mlflow="dependency/perturbed_share", by="mean"),
    _driver.gauge("shaping_weight_min", "factor",
        "Smallest weight of trajectory advantage shaping.", mlflow="shaping/weight_min", by="min"),
    _driver.gauge("shaping_weight_mean", "factor",
        "Mean weight of trajectory advantage shaping.", mlflow="shaping/weight_mean", by="mean"),
    _driver.gauge("shaping_weight_max", "factor",
        "Largest weight of trajectory advantage shaping.", mlflow="shaping/weight_max", by="max"),
    _driver.gauge("token_keep_share", "share",
        "Share of response tokens that keep their gradient.", mlflow="filtering/token_keep_share",
        by="mean"),
    _dependency.gauge("trajectory_dependency_min", "nats",
        "Smallest mean dependency of an answer with a masked image.",
        mlflow="dependency/trajectory_min", by="min"),
    _dependency.gauge("trajectory_dependency_max", "nats",
        "Largest mean dependency of an answer with a masked image.",
        mlflow="dependency/trajectory_max", by="max"),
    _driver.gauge("dependency_reward_correlation", "correlation",
        "Correlation of an answer's mean dependency with its reward; absent where one of them "
        "is constant.", mlflow="dependency/reward_correlation", by="mean"),
    _driver.gauge("shaping_weight_bound_share", "share",
        "Share of the answers whose shaping weight is a bound that the job sets.",
        mlflow="shaping/weight_bound_share", by="mean"),
    # Learner.
    _learner.gauge("policy_loss", "loss",
        "Clipped surrogate, per response token.", mlflow="learner/policy_loss", by="mean"),
    _learner.gauge("penalty", "loss",
        "Penalty term of the loss, before its coefficient.", mlflow="learner/penalty", by="mean"),
    _learner.gauge("reference_kl", "nats",
        "Mean KL estimate from the loaded model.", mlflow="learner/reference_kl", by="mean"),
    _learner.gauge("approx_kl", "nats",
        "Mean KL estimate between the policy before and during the update.",
        mlflow="learner/approx_kl", by="mean"),
    _learner.gauge("nll_mean", "nats",
        "Mean negative log-probability of the sampled tokens.", mlflow="learner/nll", by="mean"),
    _learner.gauge("entropy_mean", "nats",
        "Mean entropy of the policy at response tokens, where the job computes it.",
        mlflow="learner/entropy", by="mean"),
    _learner.gauge("ratio_mean", "ratio",
        "Mean importance ratio of the trained tokens.", mlflow="learner/ratio", by="mean"),
    _learner.gauge("clip_share", "share",
        "Share of trained tokens whose ratio was clipped.", mlflow="learner/clip_share",
        by="mean"),
    _learner.gauge("grad_norm", "norm",
        "Global gradient norm before it is limited.", mlflow="learner/grad_norm", by="mean"),
    _learner.gauge("learning_rate", "rate",
        "Learning rate of the last update.", mlflow="learner/learning_rate"),
    _learner.counter("skipped_updates", "updates",
        "Updates skipped because their gradient was not finite.",
        mlflow="learner/skipped_updates"),
    _driver.gauge("rollout_logprob_mismatch", "nats",
        "Mean absolute difference of sampled and learner log-probabilities of a token.",
        mlflow="mismatch/rollout_logprob", by="mean"),
    _driver.gauge("rollout_mismatch_kl", "nats",
        "KL estimate from the learner's policy to the sampler's.", mlflow="mismatch/rollout_kl",
        by="mean"),
)  # fmt: skip

DISTRIBUTIONS: Final[tuple[Metric, ...]] = (
    _dependency.histogram("token_dependency", "nats",
        "Dependency of every trained token on the image.", buckets=NATS_BUCKETS),
    _rollout.histogram("response_tokens", "tokens",
        "Length of every trained answer.", buckets=TOKEN_BUCKETS),
)  # fmt: skip
"""Histograms over tokens and answers, on the run's page alone: a step has no single value."""
