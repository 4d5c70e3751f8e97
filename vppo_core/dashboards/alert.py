"""An alert: when it fires, how bad that is, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How soon somebody must look."""

    CRITICAL = "critical"
    """Now: jobs stand still or are in danger."""

    WARNING = "warning"
    """Today: something is wrong that gets worse."""

    INFO = "info"
    """When there is time: the owner of a job wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert. In texts `{{ $labels.job_name }}` and `{{ $value }}` are filled in."""

    name: str
    expression: str  # PromQL; each series that it returns is an alert
    hold: str = "0s"  # for how long it must be so
    severity: Severity
    summary: str  # one line
    description: str  # what it means
    dashboard: str  # uid of the dashboard to look at
    runbook: tuple[str, ...]  # what to do, step by step

    @property
    def is_of_job(self) -> bool:
        """Whether it speaks of one job."""
        return "$labels.job_name" in self.summary
