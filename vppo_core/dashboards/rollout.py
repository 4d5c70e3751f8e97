"""Rollout / vLLM: are tokens sampled as fast as they could be?"""

from typing import Final

from vppo_core.dashboards.panel import Dashboard, Panel, Query, Row, Show, lines
from vppo_core.dashboards.promql import (
    foreign,
    increase,
    mean,
    most,
    own,
    quantile,
    rate,
    share,
    total,
)
from vppo_core.dashboards.shared_parts import (
    ALL_JOBS_PAGE,
    MARKS,
    bad_from,
    job_variables,
    same_jobs,
    warn_from,
)

_JOB: Final = "job_name"
_WHO: Final = ("job_name", "role", "replica")
_NAMES: Final = "{{role}} {{replica}}"
_FIRST: Final = foreign("ray_vllm_time_to_first_token_seconds", suffix="_bucket")
_LAST: Final = foreign("ray_vllm_e2e_request_latency_seconds", suffix="_bucket")
_NEXT: Final = foreign("ray_vllm_request_time_per_output_token_seconds", suffix="_bucket")


def _rates(*parts: tuple[str, str]) -> tuple[Query, ...]:
    """A line for each counter."""
    return tuple(
        Query(expression=total(rate(own(key)), _JOB), legend=f"{{{{job_name}}}} {legend}")
        for key, legend in parts
    )


_TOKENS: Final = Row(
    title="Tokens and answers",
    panels=(
        Panel(
            title="Tokens",
            description="Response tokens per second: sampled, trained on, and sampled for "
            "nothing. Many wasted: groups have no signal, see the job.",
            queries=_rates(
                ("tokens_generated", "sampled"),
                ("tokens_trained", "trained"),
                ("tokens_wasted", "wasted"),
            ),
            unit="cps",
            least=0,
        ),
        Panel(
            title="Answers",
            description="Answers per second: sampled, trained on, and sampled for nothing.",
            queries=_rates(
                ("samples_generated", "sampled"),
                ("samples_trained", "trained"),
                ("samples_wasted", "wasted"),
            ),
            unit="cps",
            least=0,
        ),
        Panel(
            title="Effective tokens per GPU",
            description="Tokens trained on per second, for each GPU of the job, whatever its role.",
            queries=lines(
                share(
                    total(rate(own("tokens_trained")), _JOB),
                    total(foreign("ray_node_gpus_available"), _JOB),
                ),
                "{{job_name}}",
            ),
            unit="cps",
            least=0,
        ),
        Panel(
            title="Tokens by replica",
            description="Sampled by each rollout replica, trained by each learner rank. One that "
            "lags behind holds up the step.",
            queries=(
                Query(
                    expression=total(rate(own("replica_tokens_generated")), *_WHO),
                    legend=f"{_NAMES} sampled",
                ),
                Query(
                    expression=total(rate(own("replica_tokens_trained")), *_WHO),
                    legend=f"{_NAMES} trained",
                ),
            ),
            unit="cps",
            least=0,
        ),
        Panel(
            title="Answers by replica",
            description="Sampled per second.",
            queries=lines(total(rate(own("replica_samples_generated")), *_WHO), _NAMES),
            unit="cps",
            least=0,
        ),
        Panel(
            title="Length of answers",
            description="How many trained answers have how many tokens.",
            queries=(
                Query(
                    expression=total(increase(own("response_tokens", suffix="_bucket")), "le"),
                    legend="{{le}}",
                ),
            ),
            show=Show.HEAT,
        ),
    ),
)

_VLLM: Final = Row(
    title="vLLM (empty where jobs sample with transformers)",
    panels=(
        Panel(
            title="Requests",
            description="Answers being sampled, and those that wait for a place in the batch.",
            queries=(
                Query(
                    expression=total(foreign("ray_vllm_num_requests_running"), _JOB),
                    legend="{{job_name}} running",
                ),
                Query(
                    expression=total(foreign("ray_vllm_num_requests_waiting"), _JOB),
                    legend="{{job_name}} waiting",
                ),
            ),
            least=0,
        ),
        Panel(
            title="KV cache",
            description="Used share, mean of the engines. Full, answers are begun again: fewer "
            "sequences at once, or more memory.",
            queries=lines(mean(foreign("ray_vllm_kv_cache_usage_perc"), _JOB), "{{job_name}}"),
            unit="percentunit",
            thresholds=warn_from(0.9, 0.98),
            least=0,
            most=1,
        ),
        Panel(
            title="Preemptions",
            description="Answers begun again for want of cache.",
            queries=lines(
                total(increase(foreign("ray_vllm_num_preemptions_total")), _JOB), "{{job_name}}"
            ),
            thresholds=bad_from(1),
            least=0,
        ),
        Panel(
            title="Prefixes found",
            description="Share of prompt tokens that were in the cache: a group asks the same "
            "prompt many times.",
            queries=lines(
                share(
                    total(rate(foreign("ray_vllm_prefix_cache_hits_total")), _JOB),
                    total(rate(foreign("ray_vllm_prefix_cache_queries_total")), _JOB),
                ),
                "{{job_name}}",
            ),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="Time to the first token",
            description="From buckets; Ray's own sums of histograms are invented.",
            queries=(
                Query(expression=quantile(0.5, _FIRST, _JOB), legend="{{job_name}} p50"),
                Query(expression=quantile(0.95, _FIRST, _JOB), legend="{{job_name}} p95"),
            ),
            unit="s",
            is_log=True,
        ),
        Panel(
            title="Time of an answer",
            description="From the request to its last token, and from token to token.",
            queries=(
                Query(expression=quantile(0.95, _LAST, _JOB), legend="{{job_name}} answer p95"),
                Query(expression=quantile(0.95, _NEXT, _JOB), legend="{{job_name}} token p95"),
            ),
            unit="s",
            is_log=True,
        ),
        Panel(
            title="Tokens of the engines",
            description="Tokens of prompts read, tokens sampled.",
            queries=(
                Query(
                    expression=total(rate(foreign("ray_vllm_prompt_tokens_total")), _JOB),
                    legend="{{job_name}} read",
                ),
                Query(
                    expression=total(rate(foreign("ray_vllm_generation_tokens_total")), _JOB),
                    legend="{{job_name}} sampled",
                ),
            ),
            unit="cps",
            width=24,
            least=0,
        ),
    ),
)

_REPLICAS: Final = Row(
    title="Replicas of all roles",
    panels=(
        Panel(
            title="At work",
            description="Share of the time in which a replica computed. Near 1: its role is what "
            "the others wait for.",
            queries=lines(total(rate(own("replica_busy_seconds")), *_WHO), _NAMES),
            unit="percentunit",
            least=0,
        ),
        Panel(
            title="Calls",
            description="Calls answered per second.",
            queries=lines(total(rate(own("replica_calls")), *_WHO), _NAMES),
            unit="reqps",
            least=0,
        ),
        Panel(
            title="Time of a call",
            description="Mean time that a replica computed for a call.",
            queries=lines(
                share(
                    total(rate(own("replica_busy_seconds")), *_WHO),
                    total(rate(own("replica_calls")), *_WHO),
                ),
                _NAMES,
            ),
            unit="s",
            is_log=True,
        ),
        Panel(
            title="Weights",
            description="Version that the run is at, and that each replica has. A replica below "
            "the others answers from old weights.",
            queries=(
                Query(expression=most(own("policy_version"), _JOB), legend="{{job_name}}"),
                Query(expression=most(own("replica_policy_version"), *_WHO), legend=_NAMES),
            ),
            least=0,
        ),
        Panel(
            title="Time to take weights",
            description="Mean time of taking or sending weights.",
            queries=lines(
                share(
                    total(rate(own("replica_weight_sync_seconds")), *_WHO),
                    total(rate(own("replica_weight_syncs")), *_WHO),
                ),
                _NAMES,
            ),
            unit="s",
            least=0,
        ),
        Panel(
            title="Grading that took too long",
            description="Answers whose grader did not end in time; they count as wrong.",
            queries=lines(total(increase(own("replica_reward_timeouts")), *_WHO), _NAMES),
            thresholds=bad_from(1),
            least=0,
        ),
    ),
)

ROLLOUT: Final = Dashboard(
    uid="vppo-rollout",
    title="VPPO / Rollout and vLLM",
    description="Whether tokens are sampled, graded and trained on as fast as they could be.",
    variables=job_variables("step", is_single=False),
    rows=(_TOKENS, _VLLM, _REPLICAS),
    marks=MARKS,
    links=(ALL_JOBS_PAGE, ("The job", same_jobs("vppo-job"))),
)
