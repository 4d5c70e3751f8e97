"""Prints a dashboard as Grafana's classic JSON, which file provisioning and sidecars take."""

from typing import Any, Final

from vppo_core.dashboards.layout import placed
from vppo_core.dashboards.panel import Dashboard, Mark, Panel, Query, Show, Variable
from vppo_core.dashboards.styles import field_config, options

SCHEMA: Final = 39
"""The oldest form that Grafana 11 writes itself; all younger ones read it."""

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


def dashboard_json(dashboard: Dashboard) -> Json:
    """The whole file."""
    return {
        "uid": dashboard.uid,
        "id": None,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["vppo"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "links": _links(dashboard),
        "templating": {"list": [_source(), *(_variable(one) for one in dashboard.variables)]},
        "annotations": {"list": [_mark(one) for one in dashboard.marks]},
        "panels": [_placed(number, item, at) for number, item, at in placed(dashboard)],
    }


def _placed(number: int, item: Panel | str, at: Json) -> Json:
    if isinstance(item, str):
        return {
            "id": number,
            "type": "row",
            "title": item,
            "collapsed": False,
            "gridPos": at,
            "panels": [],
        }
    panel: Json = {
        "id": number,
        "type": item.show.value,
        "title": item.title,
        "description": item.description,
        "gridPos": at,
        "options": options(item),
    }
    if item.show is Show.TEXT:
        return panel
    return panel | {
        "datasource": SOURCE,
        "fieldConfig": field_config(item),
        "targets": [_target(item, query, index) for index, query in enumerate(item.queries)],
        "transformations": _transformations(item),
    }


def _target(panel: Panel, query: Query, index: int) -> Json:
    is_table = panel.show is Show.TABLE
    return {
        "refId": chr(ord("A") + index),
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "format": "table" if is_table else "heatmap" if panel.show is Show.HEAT else "time_series",
        "instant": query.is_instant,
        "range": not query.is_instant,
    }


def _transformations(panel: Panel) -> list[Json]:
    """A table joins its queries by their labels and names its columns."""
    if panel.show is not Show.TABLE:
        return []
    names = {field: title for field, title, _ in panel.columns}
    organize = {
        "excludeByName": {"Time": True, **dict.fromkeys(panel.hidden, True)},
        "indexByName": {field: index for index, field in enumerate(names)},
        "renameByName": names,
    }
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]


def _source() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _variable(variable: Variable) -> Json:
    query = f"label_values({variable.of}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "Variable"},
        "current": {"text": ["All"], "value": ["$__all"]} if variable.has_all else {},
        "hide": 0,
        "includeAll": variable.has_all,
        "allValue": ".+" if variable.has_all else "",
        "multi": variable.is_multi,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "skipUrlSync": False,
    }


def _mark(mark: Mark) -> Json:
    return {
        "name": mark.name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "expr": mark.expression,
        "step": "60s",
        "titleFormat": mark.title,
        "textFormat": "",
        "tagKeys": "",
        "iconColor": mark.colour,
    }


def _links(dashboard: Dashboard) -> list[Json]:
    base = {"icon": "external link", "targetBlank": False, "tooltip": "", "tags": []}
    others = {
        **base,
        "title": "VPPO dashboards",
        "type": "dashboards",
        "icon": "dashboard",
        "tags": ["vppo"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "url": "",
    }
    return [
        others,
        *(
            {**base, "title": title, "type": "link", "url": address, "targetBlank": True}
            for title, address in dashboard.links
        ),
    ]
