"""Following a job to its end: drawn on a terminal, one line for each change elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from vppo_core.errors import VPPOError
from vppo_core.spec.status import JobPhase, Progress, VPPOJobStatus
from vppo_services.cli.door import Door
from vppo_services.cli.output import print_notes
from vppo_services.cli.views.phases import exit_code
from vppo_services.cli.views.watch_state import WatchState, event_line, status_line

if TYPE_CHECKING:
    from vppo_services.cli.client import ApiProblem, Client, Watched
    from vppo_services.cli.client.shapes import Event

INTERRUPTED = 130
AWAY = "the server is away; trying again for some minutes"


def follow(door: Door, client: "Client", name: str) -> None:
    """Show a job until it is final; leaves with its exit code, or with 130 on Ctrl-C.

    Raises:
        ApiProblem: there is no such job, or the server is away for too long.
        typer.Exit: always, else.
    """
    show = _Drawn(door) if door.console.is_terminal else _Lines(door)
    watcher = Watcher(client, name, show)
    client.on_reconnect = watcher.wait
    with until_interrupted(name), show.shown(watcher):
        watcher.run()
    status = watcher.state.status
    phase = client.get(name).status.phase if status is None else status.phase
    raise typer.Exit(exit_code(phase))


def tell_of_outages(client: "Client") -> None:
    """From now on, a stream whose server is away says so once, on the standard error."""
    client.on_reconnect = _Outages().take


class _Outages:
    """Says once of each outage that the server is away."""

    def __init__(self) -> None:
        self._is_told = False

    def take(self, problem: "ApiProblem | None", failures: int) -> None:
        if failures == 1:
            self._is_told = False
        # A stream that ends without an error is no outage; servers and proxies do that.
        if problem is not None and not self._is_told:
            print_notes([AWAY])
            self._is_told = True


@contextmanager
def until_interrupted(name: str) -> Iterator[None]:
    """On Ctrl-C says that the job goes on, and leaves with 130."""
    try:
        yield
    except KeyboardInterrupt:
        print_notes([f"{name} goes on without you; `vppo cancel {name}` would end it"])
        raise typer.Exit(INTERRUPTED) from None


def wait_until(
    client: "Client", name: str, is_done: Callable[[JobPhase], bool]
) -> VPPOJobStatus | None:
    """The first status with such a phase, or the last one of all."""
    status: VPPOJobStatus | None = None
    for change in client.watch(name):
        if isinstance(change, VPPOJobStatus):
            status = change
            if is_done(status.phase):
                break
    return status


class Watcher:
    """Gathers what the server says of a job."""

    def __init__(self, client: "Client", name: str, show: "_Lines | _Drawn") -> None:
        self.state = WatchState(name)
        self._client = client
        self._show = show
        self._after = ""

    def run(self) -> None:
        """To the end of the job."""
        for change in self._client.watch(self.state.name):
            self._take(change)

    def wait(self, problem: "ApiProblem | None", failures: int) -> None:
        """The stream will be connected again."""
        if problem is not None:
            self.state = replace(self.state, trouble=AWAY)
            self._show.outage(problem, failures)

    def _take(self, change: "Watched") -> None:
        from vppo_services.cli.client.shapes import Event

        self.state = replace(self.state, trouble="")
        if isinstance(change, VPPOJobStatus):
            self._take_status(change)
        elif isinstance(change, Progress) and self.state.status is not None:
            self._take_status(self.state.status.model_copy(update={"progress": change}))
        elif isinstance(change, Event):
            self.state = self.state.with_event(change)
            self._show.event(change)

    def _take_status(self, status: VPPOJobStatus) -> None:
        before = self.state.status
        is_step = before is None or before.progress.step != status.progress.step
        self.state = replace(self.state, status=status)
        if is_step and status.progress.step:
            self._read_metrics()
        self._show.status(self.state, before)

    def _read_metrics(self) -> None:
        name = self.state.name
        try:
            while True:
                before, page = self._after, self._client.metrics(name, after=self._after)
                if page.is_reset:
                    self.state = self.state.without_curves()
                self.state = self.state.with_metrics(page.items)
                self._after = page.next_after
                if page.next_after == before:
                    return
        except VPPOError:
            # Curves are an extra; the next step asks again, and the stream says what is wrong.
            return


class _Lines:
    """One line for each change."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._outages = _Outages()

    @contextmanager
    def shown(self, _: Watcher) -> Iterator[None]:
        yield

    def status(self, state: WatchState, before: VPPOJobStatus | None) -> None:
        line = status_line(state, before, self._door.now())
        if line:
            self._print(line)

    def event(self, event: "Event") -> None:
        self._print(event_line(event))

    def outage(self, problem: "ApiProblem", failures: int) -> None:
        self._outages.take(problem, failures)

    def _print(self, line: str) -> None:
        self._door.console.file.write(" ".join(line.split("\n")) + "\n")
        self._door.console.file.flush()


class _Drawn:
    """A drawing that stands still and changes."""

    def __init__(self, door: Door) -> None:
        self._door = door

    @contextmanager
    def shown(self, watcher: Watcher) -> Iterator[None]:
        from rich.live import Live

        from vppo_services.cli.views.watch_view import watch_view

        console = self._door.console
        is_ascii = console.options.ascii_only
        with Live(
            get_renderable=lambda: watch_view(watcher.state, self._door.now(), is_ascii=is_ascii),
            console=console,
            refresh_per_second=4,
        ):
            yield

    def status(self, state: WatchState, before: VPPOJobStatus | None) -> None:
        """Drawn by the clock, four times a second: the time left goes on between changes."""

    def event(self, event: "Event") -> None:
        """Drawn by the clock."""

    def outage(self, problem: "ApiProblem", failures: int) -> None:
        """Drawn by the clock."""
