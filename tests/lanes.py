"""Which tests may run side by side: `pytest --numprocesses=2`.

Whole jobs, vLLM and MLflow run one after another and first, because they take longest and fill the
machine's memory; the rest goes beside them, what shares a server in one piece.
"""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

# Whole jobs all, but for the folders in _TOGETHER.
_WHOLE_JOBS = ("tests/integration", "tests/dashboards/test_live.py")
_TOGETHER = ("tests/integration/kube", "tests/integration/control")
"""Folders whose tests share an API server, a control plane or a browser: a group for each below."""


class Lanes(LoadScopeScheduling):
    """Gives a worker one group after another, in the order of `arrange`."""

    def _split_scope(self, nodeid: str) -> str:
        # Not the mark `xdist_group`: xdist 3.8 does not find it under pytest 9.2.
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The group of a test: whole jobs, its folder, or its file."""
    path = PurePosixPath(nodeid.partition("::")[0])
    if any(path.is_relative_to(folder) for folder in _TOGETHER):
        return str(path.parent)
    is_whole = any(path.is_relative_to(place) for place in _WHOLE_JOBS)
    return "whole jobs" if is_whole else str(path)


def arrange(items: list[pytest.Item]) -> None:
    """Whole jobs first, then what shares a server."""
    groups = {item: group_of(item.nodeid) for item in items}
    items.sort(key=lambda item: (groups[item] != "whole jobs", groups[item].endswith(".py")))
