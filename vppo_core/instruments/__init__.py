"""The catalogue as instruments of a Prometheus client, and the series of jobs, which both launchers
export under the same names. The only room of core that speaks to that client.
"""

from vppo_core.instruments.board import JobBoard
from vppo_core.instruments.counters import JobCounters
from vppo_core.instruments.families import gauge_family
from vppo_core.instruments.made import Instruments
from vppo_core.instruments.page import PAGE_TYPE, WithoutBirths, page_of

__all__ = [
    "PAGE_TYPE",
    "Instruments",
    "JobBoard",
    "JobCounters",
    "WithoutBirths",
    "gauge_family",
    "page_of",
]
