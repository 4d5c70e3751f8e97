"""Prints what to do about each alert, as markdown: a file of the chart, and a panel."""

from itertools import chain, groupby

from vppo_core.dashboards.alert import Alert

Groups = tuple[tuple[str, tuple[Alert, ...]], ...]


def runbooks(groups: Groups) -> str:
    """A section for each alert, under an anchor with its name."""
    alerts = chain.from_iterable(alerts for _, alerts in groups)
    sections = [
        _section(name, list(same)) for name, same in groupby(alerts, key=lambda one: one.name)
    ]
    return "\n\n".join(sections) + "\n"


def _section(name: str, alerts: list[Alert]) -> str:
    parts = [f'<a id="{name}"></a>\n\n### {name}']
    for alert in alerts:
        text = alert.description.replace("{{ $value }}", "N").replace("{{ $value | ", "{{ ")
        summary = _plain(alert.summary)
        steps = "\n".join(f"{index}. {step}" for index, step in enumerate(alert.runbook, start=1))
        parts.append(f"*{alert.severity.value}*: **{summary}** {_plain(text)}\n\n{steps}")
    return "\n\n".join(parts)


_WORDS = (
    ("{{ $labels.job_name }}", "JOB"),
    ("{{ $labels.failure_class }}", "CLASS"),
    ("{{ $labels.kind }}", "KIND"),
    ("{{ $labels.sink }}", "SINK"),
    ("{{ humanizePercentage }}", "N %"),
    ("{{ humanizeDuration }}", "N s"),
    ("{{ humanize1024 }}", "N "),
    ("{{ humanize }}", "N"),
)


def _plain(text: str) -> str:
    """Without places to fill in."""
    for place, word in _WORDS:
        text = text.replace(place, word)
    return text
