"""What a role's process tells the driver at the end of a step."""

from collections.abc import Sequence
from dataclasses import dataclass

from vppo_core.logs import CarriedLine
from vppo_services.transport.busy import Span
from vppo_services.transport.role_log import RoleLog
from vppo_services.transport.role_metrics import RoleMetrics


@dataclass(frozen=True, slots=True)
class RoleReport:
    """What happened in one process since it last reported."""

    spans: Sequence[Span]
    """When it computed."""

    lines: Sequence[CarriedLine]
    """What it said."""

    @classmethod
    def of(cls, metrics: RoleMetrics, log: RoleLog, *, next_step: int) -> "RoleReport":
        """Take it; what is said from here on belongs to `next_step`."""
        return cls(metrics.take_spans(), log.take(next_step))
