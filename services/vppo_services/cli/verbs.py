"""`vppo pause`, `resume`, `cancel` and `delete`: what is wanted of a job now."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vppo_core.errors import InvalidSpecError, VPPOError
from vppo_core.spec.status import JobPhase
from vppo_services.cli.door import Door
from vppo_services.cli.options import JobNames, Wait
from vppo_services.cli.output import print_ok, print_problems
from vppo_services.cli.views.phases import FAILED
from vppo_services.cli.watching import tell_of_outages, until_interrupted, wait_until

if TYPE_CHECKING:
    from vppo_services.cli.client import Client


@dataclass(frozen=True, slots=True)
class _Verb:
    """A request, what is said of it, and the phases besides the final ones that end the wait."""

    word: str
    said: str
    awaited: tuple[JobPhase, ...] = ()

    def ask(self, client: "Client", name: str) -> None:
        getattr(client, self.word)(name)


PAUSE: Final = _Verb("pause", "will pause after a checkpoint", (JobPhase.PAUSED,))
RESUME: Final = _Verb("resume", "will go on", (JobPhase.RUNNING,))
CANCEL: Final = _Verb("cancel", "will end after a checkpoint")
DELETE: Final = _Verb("delete", "will be deleted; its record stays")


def pause(door: Door, *, names: JobNames, wait: Wait = False) -> None:
    """Let jobs save a checkpoint and give back what they hold, until they are resumed."""
    _ask_all(door, names, PAUSE, wait=wait)


def resume(door: Door, *, names: JobNames, wait: Wait = False) -> None:
    """Let paused jobs go on from their checkpoint."""
    _ask_all(door, names, RESUME, wait=wait)


def cancel(door: Door, *, names: JobNames, wait: Wait = False) -> None:
    """Let jobs save a checkpoint and end for good."""
    _ask_all(door, names, CANCEL, wait=wait)


def delete(
    door: Door,
    *,
    names: JobNames,
    wait: Wait = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete jobs; live ones save and end first. The record stays."""
    if not yes:
        _confirm(names)
    _ask_all(door, names, DELETE, wait=wait)


def _confirm(names: Sequence[str]) -> None:
    if not sys.stdin.isatty():
        raise InvalidSpecError(
            "vppo delete must be confirmed on a terminal, got other input; add --yes"
        )
    if not typer.confirm(f"Delete {', '.join(names)}?"):
        raise typer.Exit(FAILED)


def _ask_all(door: Door, names: Sequence[str], verb: _Verb, *, wait: bool) -> None:
    """Each job is asked, whatever the others answer; the first error's exit code is ours."""
    codes = []
    with door.client() as client:
        for name in names:
            codes.append(_without_stopping(partial(verb.ask, client, name)))
            if codes[-1] == 0 and not wait:
                print_ok(f"{name} {verb.said}")
        if wait:
            tell_of_outages(client)
            asked = [name for name, code in zip(names, codes, strict=True) if code == 0]
            codes += [_await(client, name, verb) for name in asked]
    raise typer.Exit(next((code for code in codes if code), 0))


def _await(client: "Client", name: str, verb: _Verb) -> int:
    with until_interrupted(name):
        status = wait_until(client, name, lambda phase: phase.is_final or phase in verb.awaited)
    phase = status.phase if status else JobPhase.PENDING
    print_ok(f"{name} is {phase.value}")
    return FAILED if phase is JobPhase.FAILED else 0


def _without_stopping(ask: Callable[[], None]) -> int:
    try:
        ask()
    except VPPOError as error:
        print_problems(str(error).splitlines())
        return error.exit_code
    return 0
