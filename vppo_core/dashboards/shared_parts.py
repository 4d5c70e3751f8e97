"""What several dashboards have in common: variables, marks, links."""

from typing import Final

from vppo_core.catalogue import EVERY
from vppo_core.dashboards.panel import API, Mark, Threshold, Variable
from vppo_core.dashboards.promql import own

WARN: Final = "orange"
BAD: Final = "red"

JOB_PAGE: Final = ("Page of the job", f"{API}/ui/#/jobs/${{job_name}}")
ALL_JOBS_PAGE: Final = ("Page of all jobs", f"{API}/ui/")

JOB_VARS: Final = "var-datasource=${datasource}&${__url_time_range}"


def bad_from(value: float) -> tuple[Threshold, ...]:
    """Red from here on."""
    return (Threshold(value=value, colour=BAD),)


def warn_from(value: float, bad: float) -> tuple[Threshold, ...]:
    """Orange from here on, red from there on."""
    return (Threshold(value=value, colour=WARN), Threshold(value=bad, colour=BAD))


def to_job(dashboard: str, job_name: str) -> str:
    """Address of a dashboard for one job, from a row or a line of another one."""
    return f"/d/{dashboard}?var-namespace=All&var-job_name={job_name}&{JOB_VARS}"


def same_jobs(dashboard: str) -> str:
    """Address of a dashboard for the jobs that are chosen on this one."""
    return f"/d/{dashboard}?${{namespace:queryparam}}&${{job_name:queryparam}}&{JOB_VARS}"


_TARGETS: Final = (
    Variable(name="job", title="Scrape job", label="job", of="up"),
    Variable(name="instance", title="Instance", label="instance", of='up{job=~"$job"}'),
)


def job_variables(key: str, *, is_single: bool) -> tuple[Variable, ...]:
    """Variables of a page about jobs.

    Args:
        key: metric that every job has, which it is found by.
        is_single: whether one job is looked at.
    """
    entry = EVERY[key]
    namespace = "job_namespace" if "job_namespace" in entry.labels else "namespace"
    name = entry.series
    return (
        *_TARGETS,
        Variable(name="namespace", title="Namespace", label=namespace, of=name),
        Variable(
            name="job_name",
            title="Job",
            label="job_name",
            of=f'{name}{{{namespace}=~"$namespace"}}',
            is_multi=not is_single,
            has_all=not is_single,
        ),
    )


def _began(selector: str) -> str:
    """Moments at which a value changed, or came to be."""
    return f"changes({selector}[1m]) > 0 or ({selector} unless {selector} offset 1m)"


MARKS: Final = (
    Mark(
        name="Attempts",
        expression=_began(own("attempt_start_timestamp_seconds")),
        title="{{job_name}}: attempt {{attempt}} began",
        colour="red",
    ),
    Mark(
        name="Checkpoints",
        expression=_began(own("checkpoint_step")),
        title="{{job_name}}: checkpoint",
        colour="blue",
    ),
)
"""Restarts and checkpoints on every curve of a job."""
