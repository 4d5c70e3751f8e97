"""What a person sees while a job trains: a bar on a terminal, a line per step everywhere."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from vppo_services.observability.logging import SHOWN

_log = logging.getLogger(SHOWN)


class ProgressView:
    """Steps as a bar, the stage on its way beside it, and one line for each finished step."""

    def __init__(self, num_steps: int, *, quiet: bool, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
            console=self._console,
            transient=True,
            disable=quiet or not self._console.is_terminal,
        )
        self._num_steps = num_steps
        self._steps = self._progress.add_task("training", total=num_steps, detail="")
        self._quiet = quiet

    def __enter__(self) -> "ProgressView":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    @contextmanager
    def stage(self, text: str) -> Iterator[None]:
        """Show what is being done."""
        self._progress.update(self._steps, detail=text)
        yield
        self._progress.update(self._steps, detail="")

    def counter(self, text: str, total: int) -> "Counter":
        """A bar of its own, for something with a known number of parts."""
        return Counter(self._progress, text, total)

    def say(self, text: str) -> None:
        """A line above the bar, and in the log."""
        _log.info("%s", Text.from_markup(text).plain)
        if not self._quiet:
            self._console.print(text, soft_wrap=True)

    def step_done(
        self, step: int, values: Mapping[str, float], stages: Mapping[str, float], seconds: float
    ) -> None:
        """Advance the bar and print the step's line."""
        self._progress.update(self._steps, completed=step)
        parts = "  ".join(f"{name} {took:.1f}" for name, took in stages.items() if took >= 0.05)
        self.say(
            f"step {step:>4}/{self._num_steps}  accuracy {values['accuracy_mean']:.3f}  "
            f"dependency {values['token_dependency_mean']:.4f}  "
            f"tokens {values['response_tokens_mean']:.0f}  [dim]{seconds:.1f} s: {parts}[/dim]"
        )


class Counter:
    """A bar that appears with its first part and disappears with its last."""

    def __init__(self, progress: Progress, text: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total, detail="")
        self._total = total

    def set(self, done: int) -> None:
        """Show how many parts are done."""
        self._progress.update(self._task, completed=done)
        if done >= self._total:
            self._progress.remove_task(self._task)
