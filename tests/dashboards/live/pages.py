"""`promtool check metrics` on the pages of our programs."""

import re
import subprocess
from collections.abc import Sequence
from typing import Final

import httpx

from tests.dashboards.reading import known_series

# Each is checked once it has values: a driver's first step is over.
_GROWN: Final = "vppo_reward_mean "
_OURS: Final = re.compile(r"^(vppo_[a-z0-9_]+)", re.MULTILINE)


class Pages:
    """What is wrong with the pages of programs, those of drivers as soon as they have values."""

    def __init__(self, programs: Sequence[str]) -> None:
        """Look at the programs' pages now."""
        self._seen: set[str] = set()
        self._faults = [fault for one in programs for fault in page_faults(one, _read(one))]

    def look(self, drivers: Sequence[str]) -> None:
        """Look at pages of drivers that were not looked at."""
        for address in drivers:
            text = "" if address in self._seen else _read(address)
            if _GROWN in text:
                self._seen.add(address)
                self._faults += page_faults(address, text)

    @property
    def faults(self) -> list[str]:
        """What is wrong, also that no driver had a page."""
        return self._faults if self._seen else [*self._faults, "no page of a driver was found"]


def page_faults(address: str, text: str) -> list[str]:
    """What Prometheus' own linter says, and names of ours that nobody catalogued."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("vppo_")]
    unknown = set(_OURS.findall(text)) - set(known_series())
    return [
        *(f"{address}: {line}" for line in said),
        *(f"{address}: {name} is not in the catalogue" for name in sorted(unknown)),
    ]


def _read(address: str) -> str:
    try:
        return httpx.get(address, timeout=10.0, trust_env=False).text
    except httpx.TransportError:
        return ""
