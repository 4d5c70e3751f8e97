"""Puts panels on Grafana's grid: from left to right, row under row, nothing over another."""

from collections.abc import Iterator

from vppo_core.dashboards.panel import WIDTH, Dashboard, Panel

Place = dict[str, int]


def placed(dashboard: Dashboard) -> Iterator[tuple[int, Panel | str, Place]]:
    """Number, panel or title of a row, and place; numbers count from 1 in reading order."""
    number, top = 0, 0
    for row in dashboard.rows:
        number += 1
        yield number, row.title, {"x": 0, "y": top, "w": WIDTH, "h": 1}
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left, height = top + height, 0, 0
            number += 1
            yield (
                panel.number or number,
                panel,
                {"x": left, "y": top, "w": panel.width, "h": panel.height},
            )
            left, height = left + panel.width, max(height, panel.height)
        top += height
