"""How each kind of panel looks: colours, axes, legends."""

from typing import Any, Final

from vppo_core.dashboards.panel import Panel, Show

Json = dict[str, Any]

_LEGEND: Final = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_TOOLTIP: Final = {"mode": "multi", "sort": "desc"}
_REDUCE: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def options(panel: Panel) -> Json:
    """What belongs to the kind of the panel alone."""
    if panel.show is Show.NUMBER:
        return {
            "colorMode": "value" if panel.thresholds or panel.words else "none",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": _REDUCE,
            "textMode": "auto",
            "wideLayout": True,
        }
    if panel.show is Show.TABLE:
        return {"cellHeight": "sm", "showHeader": True}
    if panel.show is Show.TIMELINE:
        return {
            "alignValue": "left",
            "legend": _LEGEND,
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        }
    if panel.show is Show.HEAT:
        return _heat(panel)
    if panel.show is Show.TEXT:
        return {"mode": "markdown", "content": panel.text, "code": {"language": "markdown"}}
    return {"legend": _LEGEND, "tooltip": _TOOLTIP}


def field_config(panel: Panel) -> Json:
    """Units, colours and axes of the values."""
    defaults: Json = {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if _is_coloured(panel) else "palette-classic"},
        "mappings": [] if panel.words_of else _mappings(panel),
        "thresholds": {"mode": "absolute", "steps": _steps(panel)},
        "links": [
            {"title": title, "url": address, "targetBlank": False} for title, address in panel.links
        ],
        "custom": _custom(panel),
    }
    for name, value in (("decimals", panel.decimals), ("min", panel.least), ("max", panel.most)):
        if value is not None:
            defaults[name] = value
    return {"defaults": defaults, "overrides": _columns(panel)}


def _is_coloured(panel: Panel) -> bool:
    return panel.show in (Show.NUMBER, Show.TIMELINE, Show.TABLE)


def _steps(panel: Panel) -> list[Json]:
    """The first step has no bound; lines have one colour below their first bound: none."""
    first = "transparent" if panel.show is Show.LINES and panel.thresholds else "green"
    return [
        {"color": first, "value": None},
        *({"color": one.colour, "value": one.value} for one in panel.thresholds),
    ]


def _mappings(panel: Panel) -> list[Json]:
    if not panel.words:
        return []
    words = {
        str(value): {"text": word, "color": colour, "index": index}
        for index, (value, word, colour) in enumerate(panel.words)
    }
    return [{"type": "value", "options": words}]


def _custom(panel: Panel) -> Json:
    if panel.show is Show.TIMELINE:
        return {"fillOpacity": 70, "lineWidth": 0, "insertNulls": False, "spanNulls": False}
    if panel.show is not Show.LINES:
        return {}
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if panel.is_stacked else 5,
        "showPoints": "auto",
        "pointSize": 4,
        # Steps may be minutes apart: a line goes through, and ends with its job.
        "spanNulls": 3_600_000,
        "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
        "scaleDistribution": {"type": "log", "log": 10} if panel.is_log else {"type": "linear"},
        "thresholdsStyle": {"mode": "line" if panel.thresholds else "off"},
        "axisPlacement": "auto",
        "axisSoftMin": 0 if panel.least is None and not panel.is_log else None,
    }


def _heat(panel: Panel) -> Json:
    return {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "short"},
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 64,
            "reverse": False,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        # Bounds of buckets grow by factors, so that equal rows are a logarithmic axis.
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": panel.unit},
    }


def _columns(panel: Panel) -> list[Json]:
    found: list[Json] = []
    for _, title, unit in panel.columns:
        properties: list[Json] = [{"id": "unit", "value": unit}] if unit else []
        if title == panel.words_of:
            properties.append({"id": "mappings", "value": _mappings(panel)})
            properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
        if properties:
            matcher = {"id": "byName", "options": title}
            found.append({"matcher": matcher, "properties": properties})
    return found
