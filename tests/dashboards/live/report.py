"""What was found, as lines for people."""

from itertools import groupby

from tests.dashboards.live.asking import Answer
from tests.dashboards.live.check import Found

_KINDS = {"variable": "variable ", "mark": "mark ", "alert": "", "panel": ""}


def report(found: Found) -> str:
    """Dashboard by dashboard; the last line counts panels."""
    lines: list[str] = []
    for place, answers in groupby(found.answers, key=lambda one: one.question.place):
        lines += ["", place, *map(_line, answers)]
    lines += ["", "Samples of the largest scrape"]
    lines += [f"  {job:<44}{count:>6}" for job, count in sorted(found.samples.items())]
    lines += ["", *(f"FAULT {fault}" for fault in found.faults)]
    panels = [one for one in found.answers if one.question.kind == "panel"]
    others = [one for one in found.answers if one.question.kind != "panel"]
    lines.append(
        f"{len(others)} variables, marks and alerts, "
        f"{sum(one.is_empty for one in others)} without series"
    )
    lines.append(f"{len(panels)} panels, {sum(one.is_empty for one in panels)} empty")
    return "\n".join(lines) + "\n"


def _line(answer: Answer) -> str:
    question = answer.question
    name = f"  {_KINDS[question.kind]}{question.title}"
    empty = [f"\n      EMPTY: {text}" for text in answer.missing()]
    why = f"   waived: {'; '.join(question.reasons)}" if question.reasons else ""
    return f"{name:<46}{sum(answer.counts):>6} series{why}{''.join(empty)}"
