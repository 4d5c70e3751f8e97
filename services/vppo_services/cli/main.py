"""The `vppo` command."""

from importlib.metadata import version
from typing import Annotated

import typer
from typer.core import TyperGroup

from vppo_core.errors import VPPOError
from vppo_services.cli.export import export
from vppo_services.cli.output import print_problems
from vppo_services.cli.presets import presets
from vppo_services.cli.schema import schema
from vppo_services.cli.train import train
from vppo_services.cli.validate import validate


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
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (train, validate, presets, schema, export):
    app.command()(_command)


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
