"""VPPO signal: does the policy look at the image, and what does the method make of it?"""

from typing import Final

from vppo_core.dashboards.panel import Dashboard, Panel, Query, Row, Show, lines
from vppo_core.dashboards.promql import increase, mean, most, own, quantile, share, total
from vppo_core.dashboards.shared_parts import (
    ALL_JOBS_PAGE,
    MARKS,
    bad_from,
    job_variables,
    same_jobs,
)

_JOB: Final = "job_name"
_TOKENS: Final = own("token_dependency", suffix="_bucket")


def _of(*parts: tuple[str, str]) -> tuple[Query, ...]:
    """A line for each job and metric."""
    return tuple(
        Query(expression=mean(own(key), _JOB), legend=f"{{{{job_name}}}} {legend}".rstrip())
        for key, legend in parts
    )


_LOOKS: Final = Row(
    title="Does it look?",
    panels=(
        Panel(
            title="Dependency of tokens on the image",
            description="How many trained tokens depend how much on the image: the divergence of "
            "the next token's distribution when the image is masked. Rows are powers of about "
            "three. A policy that learns to look moves upwards; one that is blind lies at the "
            "bottom.",
            queries=(Query(expression=total(increase(_TOKENS), "le"), legend="{{le}}"),),
            show=Show.HEAT,
            unit="short",
            width=16,
            height=10,
        ),
        Panel(
            title="Blind",
            description="1: mean dependency is near zero, the policy ignores the image. Are the "
            "images there, and in the prompt? See Spotlight on the page of the job.",
            queries=lines(most(own("blindness"), _JOB), "{{job_name}}"),
            show=Show.NUMBER,
            words=((0, "looks", "green"), (1, "blind", "red")),
            height=5,
        ),
        Panel(
            title="Share of tokens that see",
            description="Response tokens whose dependency is above 0.01 nats.",
            queries=_of(("token_dependency_visible_share", "")),
            show=Show.NUMBER,
            unit="percentunit",
            height=5,
            decimals=1,
        ),
        Panel(
            title="Dependency of a token",
            description="Nats: mean and 90th percentile of the step, and the median from the "
            "histogram. The axis is logarithmic.",
            queries=(
                *_of(("token_dependency_mean", "mean"), ("token_dependency_p90", "p90")),
                Query(expression=quantile(0.5, _TOKENS, _JOB), legend="{{job_name}} median"),
            ),
            is_log=True,
        ),
        Panel(
            title="Dependency of an answer",
            description="Nats: smallest and largest mean of an answer in the step. Equal: shaping "
            "has nothing to go by.",
            queries=_of(
                ("trajectory_dependency_min", "smallest"), ("trajectory_dependency_max", "largest")
            ),
            is_log=True,
        ),
        Panel(
            title="Answers with a mask",
            description="Share of answers whose image had at least one pixel masked; less than "
            "all where prompts have no image.",
            queries=_of(("perturbed_share", "")),
            unit="percentunit",
            least=0,
            most=1,
        ),
    ),
)

_METHOD: Final = Row(
    title="What the method makes of it",
    panels=(
        Panel(
            title="Weights of answers",
            description="Smallest, mean and largest factor of advantage shaping; the mean is 1.",
            queries=_of(
                ("shaping_weight_min", "smallest"),
                ("shaping_weight_mean", "mean"),
                ("shaping_weight_max", "largest"),
            ),
        ),
        Panel(
            title="Weights at their bounds",
            description="Share of answers at the smallest or largest weight. Near 1: the bounds "
            "decide, not the dependency.",
            queries=_of(("shaping_weight_bound_share", "")),
            unit="percentunit",
            thresholds=bad_from(0.9),
            least=0,
            most=1,
        ),
        Panel(
            title="Tokens that are trained on",
            description="Share of response tokens that keep their gradient.",
            queries=_of(("token_keep_share", "")),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="Dependency and reward",
            description="Correlation over answers. Above 0: who looks is right more often. Absent "
            "where one of them is constant.",
            queries=_of(("dependency_reward_correlation", "")),
            least=-1,
            most=1,
        ),
        Panel(
            title="What the dependency costs",
            description="Its part of the time that replicas of all roles computed.",
            queries=lines(
                share(
                    total(own("role_busy_seconds", 'role="dependency"'), _JOB),
                    total(own("role_busy_seconds"), _JOB),
                ),
                "{{job_name}}",
            ),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="Reward beside it",
            description="Mean reward: what the signal is for.",
            queries=_of(("reward_mean", "")),
        ),
    ),
)

SIGNAL: Final = Dashboard(
    uid="vppo-signal",
    title="VPPO / Signal",
    description="Whether the policy looks at the image, and what shaping and filtering make of it.",
    variables=job_variables("step", is_single=False),
    rows=(_LOOKS, _METHOD),
    marks=MARKS,
    links=(ALL_JOBS_PAGE, ("The job", same_jobs("vppo-job"))),
)
