"""When a job may run, how often it may be tried, and how gently it is stopped."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import ShortText, SpecModel


class DesiredState(StrEnum):
    """What the user wants of a job now."""

    RUNNING = "Running"
    PAUSED = "Paused"
    CANCELLED = "Cancelled"


class SchedulingSpec(SpecModel):
    """Queue, attempts and grace."""

    queue: ShortText = ""
    """Queue that the job waits in; empty means the platform's first one."""

    max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Attempts that may fail on their own account; preemption and lost nodes are not counted."""

    stop_grace_seconds: Annotated[int, Field(ge=30, le=3600)] = 300
    """Seconds from a request to stop until the attempt is ended by force."""
