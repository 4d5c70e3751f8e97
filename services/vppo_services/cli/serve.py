"""`vppo serve`: the control plane of this machine."""

from pathlib import Path
from typing import Annotated

import typer

from vppo_services.cli.launch import Launcher

API = "vppo_services.api"


def serve(
    context: typer.Context,
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 127.0.0.1. Others need --token-file.")
    ] = "",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen on; 8080. 0 takes a free one."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the jobs and their record.")
    ] = None,
    platform: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Pools and queues (`vppo schema platform`)."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Lines of TOKEN NAME [GROUPS]: who may call."),
    ] = None,
    database: Annotated[
        str,
        typer.Option(metavar="URL", help="Archive elsewhere, such as postgresql+psycopg://..."),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Start even inside a cluster.")] = False,
) -> None:
    """Serve the API and the web page, and run the jobs that come in, on this machine."""
    # What is not given is left to the program: it also reads API_HOST, API_PORT, ...
    given = {
        "--host": host or None,
        "--port": port,
        "--state": state,
        "--platform": platform,
        "--token-file": token_file,
        "--database": database or None,
    }
    arguments: list[str] = []
    for option, value in given.items():
        arguments += [option, str(value)] if value is not None else []
    arguments += ["--force"] if force else []
    launcher = context.find_object(Launcher) or Launcher()
    launcher.run(API, arguments)
