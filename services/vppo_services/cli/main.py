"""The `vppo` command."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from vppo_core.errors import VPPOError
from vppo_services.cli.attempts import attempts
from vppo_services.cli.checkpoints import checkpoints
from vppo_services.cli.clone import clone
from vppo_services.cli.door import with_door
from vppo_services.cli.eval import evaluate
from vppo_services.cli.events import events
from vppo_services.cli.explain import explain
from vppo_services.cli.export import export
from vppo_services.cli.get import get
from vppo_services.cli.logs import logs
from vppo_services.cli.output import print_problems
from vppo_services.cli.plan import plan
from vppo_services.cli.presets import presets
from vppo_services.cli.schema import schema
from vppo_services.cli.serve import serve
from vppo_services.cli.submit import submit
from vppo_services.cli.train import train
from vppo_services.cli.usage import queues, usage
from vppo_services.cli.validate import validate
from vppo_services.cli.verbs import cancel, delete, pause, resume
from vppo_services.cli.watch import watch

LOCAL: Final = "On this machine"
FILES: Final = "Job files"
JOBS: Final = "Jobs of a server"
CHANGES: Final = "Changing jobs"
SERVER: Final = "The server"

EXIT_CODES: Final = (
    "Exit codes: 0 done; 1 the job failed; 2 wrong usage or spec; 3 the job was cancelled; "
    "4 not found; 5 conflict with what is there; 6 server away; 7 no permission; "
    "130 Ctrl-C, and the job goes on. `train` and `eval` end with the codes of the run."
)


class _Commands(TyperGroup):
    """Turns every error raised on purpose into sentences and its exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except VPPOError as error:
            print_problems(str(error).splitlines())
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    name="vppo",
    help="Train vision-language models with reinforcement learning that looks at the image.",
    epilog=EXIT_CODES,
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _with_door(*commands: Callable[..., None]) -> tuple[Callable[..., None], ...]:
    return tuple(with_door(command) for command in commands)


_COMMANDS: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    LOCAL: (serve, train, export),
    FILES: (presets, validate, *_with_door(schema, plan)),
    JOBS: _with_door(submit, get, watch, logs, events, explain, attempts, checkpoints),
    CHANGES: _with_door(pause, resume, cancel, delete, clone),
    SERVER: _with_door(queues, usage),
}
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
# `eval` is a name of Python's own.
app.command("eval", rich_help_panel=LOCAL)(evaluate)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vppo {version('vppo')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass
