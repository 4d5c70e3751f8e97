"""A watched job as a drawing of a terminal."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vppo_core.spec.status import JobPhase, VPPOJobStatus
from vppo_services.cli.views.phases import phase_text, reason_of
from vppo_services.cli.views.sparkline import ASCII_BLOCKS, BLOCKS, sparkline
from vppo_services.cli.views.times import age, fine_span, span
from vppo_services.cli.views.watch_state import CURVES, WatchState

if TYPE_CHECKING:
    from vppo_services.cli.client.shapes import Event

BAR_WIDTH: Final = 40
STAGE_WIDTH: Final = 24


def watch_view(state: WatchState, now: datetime, *, is_ascii: bool = False) -> RenderableType:
    """Everything that is known, a few lines high: progress, stages, curves, events."""
    status = state.status
    if status is None:
        return Text(f"{state.name}: waiting for the server")
    parts: list[RenderableType] = [_title(state.name, status, now)]
    reason, message = reason_of(status)
    if message or reason:
        parts.append(Text(f"  {message or reason}", style="dim"))
    if status.progress.total_steps:
        parts.append(_progress(status, now))
    parts.append(_grid(state, status, is_ascii=is_ascii))
    parts += map(_event, state.events)
    if state.trouble:
        parts.append(Text(f"  {state.trouble}", style="bold yellow"))
    return Group(*parts)


def _title(name: str, status: VPPOJobStatus, now: datetime) -> Text:
    facts = [f"attempt {status.attempt}"] if status.attempt else []
    if status.queue.name:
        place = f" #{status.queue.position}" if status.queue.position else ""
        facts.append(f"queue {status.queue.name}{place}")
    if status.usage.gpus:
        facts.append(f"{status.usage.gpus} GPUs")
    if status.checkpoint:
        made = age(status.checkpoint.created, now)
        facts.append(f"checkpoint {status.checkpoint.step}, {made} ago")
    text = Text.assemble((name, "bold"), "  ", phase_text(status.phase))
    return text.append(f"  {' · '.join(facts)}" if facts else "", style="dim")


def _progress(status: VPPOJobStatus, now: datetime) -> Table:
    progress = status.progress
    words = f"{progress.step}/{progress.total_steps}"
    eta = progress.eta_seconds
    if eta is not None and status.phase is JobPhase.RUNNING:
        # What the driver said then, less what has passed since.
        passed = (now - progress.updated).total_seconds() if progress.updated else 0.0
        words += f"  eta {span(eta - passed)}"
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=progress.total_steps, completed=progress.step, width=BAR_WIDTH)
    row.add_row("", bar, words)
    return row


def _grid(state: WatchState, status: VPPOJobStatus, *, is_ascii: bool) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, justify="right")
    # On a narrow terminal the drawing gives way, not the words.
    grid.add_column(overflow="crop")
    for row in (*_stages(status, is_ascii=is_ascii), *_curves(state, is_ascii=is_ascii)):
        grid.add_row(*row)
    return grid


def _stages(status: VPPOJobStatus, *, is_ascii: bool) -> Iterator[tuple[Text, Text, Text]]:
    seconds = status.progress.stage_seconds
    longest = max(seconds.values(), default=0.0)
    is_live = status.phase in (JobPhase.RUNNING, JobPhase.STOPPING, JobPhase.STARTING)
    if is_live and status.progress.stage and status.progress.stage not in seconds:
        yield Text(f"  {status.progress.stage}", style="bold"), Text(""), Text("")
    for stage, spent in seconds.items():
        is_now = is_live and stage == status.progress.stage
        style = "bold" if is_now else ""
        length = round(STAGE_WIDTH * spent / longest) if longest > 0.0 else 0
        bar = ("=" if is_ascii else "━") * length
        yield Text(f"  {stage}", style), Text(fine_span(spent), style), Text(bar, "cyan")


def _curves(state: WatchState, *, is_ascii: bool) -> Iterator[tuple[Text, Text, Text]]:
    blocks = ASCII_BLOCKS if is_ascii else BLOCKS
    for reference, name in CURVES.items():
        values = state.values(reference)
        last = state.last(reference)
        if values:
            number = "-" if last is None else f"{last:.3g}"
            line = sparkline(values, BAR_WIDTH, blocks=blocks)
            yield Text(f"  {name}"), Text(number, "bold"), Text(line, "green")


def _event(event: "Event") -> Text:
    style = "yellow" if event.kind == "Warning" else "dim"
    clock = event.time.astimezone().strftime("%H:%M:%S")
    return Text(
        f"  {clock}  {event.reason}  {event.message}", style, no_wrap=True, overflow="ellipsis"
    )
