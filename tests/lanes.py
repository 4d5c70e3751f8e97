"""Which tests may run side by side: the groups of pytest-xdist's `--dist loadgroup`.

Whole jobs, vLLM and MLflow run one after another and first, because they take longest and fill the
machine's memory; the rest goes beside them, what shares a server in one piece. Without xdist only
the order changes.
"""

from pathlib import Path

import pytest

_FIRST = "slow"
_TESTS = Path(__file__).parent
_TOGETHER = ("integration/kube", "integration/control")
"""Folders whose tests share a server, an API server or a browser: one group for each below."""


def group_of(item: pytest.Item) -> str:
    """The group of a test: `slow`, its folder, or its file."""
    if item.get_closest_marker("slow"):
        return _FIRST
    path = item.path.relative_to(_TESTS)
    shared = [folder for folder in _TOGETHER if path.is_relative_to(folder)]
    return str(path.parent if shared else path)


def arrange(items: list[pytest.Item]) -> None:
    """Mark each test with its group; `slow` ones first, then those that share a server."""
    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (groups[item] != _FIRST, groups[item].endswith(".py")))
