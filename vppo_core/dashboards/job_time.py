"""Row of one job about what a step is spent on."""

from typing import Final

from vppo_core.dashboards.panel import Panel, Query, Row, lines
from vppo_core.dashboards.promql import mean, own, total

_SHARES: Final = (("bubble_share", "nobody computed"), ("overlap_share", "scored while sampling"))

TIME: Final = Row(
    title="Time",
    panels=(
        Panel(
            title="Stages of a step",
            description="Wall time of each stage of the last step; they overlap, so that the sum "
            "may be more than the step. The widest band is what to speed up.",
            queries=lines(mean(own("stage_seconds"), "stage"), "{{stage}}"),
            unit="s",
            is_stacked=True,
            width=12,
            height=9,
            least=0,
        ),
        Panel(
            title="Roles at work",
            description="Seconds that the replicas of each role computed for the last step, "
            "summed. The role with the most needs more replicas.",
            queries=lines(total(own("role_busy_seconds"), "role"), "{{role}}"),
            unit="s",
            is_stacked=True,
            width=12,
            height=9,
            least=0,
        ),
        Panel(
            title="Bubble and overlap",
            description="Share of the step in which no role computed; share of the scoring that "
            "was done while other groups were sampled.",
            queries=tuple(
                Query(expression=mean(own(key), "job_name"), legend=legend)
                for key, legend in _SHARES
            ),
            unit="percentunit",
            least=0,
            most=1,
        ),
        Panel(
            title="Throughput",
            description="Answers trained on, per second of the step.",
            queries=lines(mean(own("samples_per_second"), "job_name"), "answers"),
            unit="cps",
            least=0,
        ),
        Panel(
            title="Batches",
            description="Bytes that a step put into the object store.",
            queries=lines(mean(own("object_store_bytes"), "job_name"), "{{job_name}}"),
            unit="bytes",
            least=0,
        ),
    ),
)
