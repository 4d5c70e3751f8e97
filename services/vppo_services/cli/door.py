"""How commands reach the server: two options that all of them have, and what stands around them."""

import functools
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from vppo_services.cli.server import DEFAULT_SERVER, SERVER_VARIABLE, server_of

if TYPE_CHECKING:
    import httpx

    from vppo_services.cli.client import Client

PANEL: Final = "Server"

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="URL",
        envvar=SERVER_VARIABLE,
        help=f"Address of the API; {DEFAULT_SERVER} if neither is given.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="File that starts with the token for the API; else the token is in VPPO_TOKEN.",
        rich_help_panel=PANEL,
    ),
]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Surroundings:
    """What commands find around them; tests bring their own."""

    transport: "httpx.BaseTransport | None" = None
    """In place of the network."""

    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    make_console: Callable[[], Console] = Console


@dataclass(frozen=True)
class Door:
    """The server that a command speaks to, and where it prints."""

    address: str
    token_file: Path | None
    around: Surroundings

    def client(self, *, timeout_seconds: float = 30.0, tries: int = 4) -> "Client":
        """A client of the server. Made on demand: httpx is slow to import.

        Raises:
            InvalidSpecError: the address or the token cannot be used.
        """
        from vppo_services.cli.client import Client, Retries

        return Client(
            server_of(self.address, self.token_file),
            retries=Retries(tries=tries),
            timeout_seconds=timeout_seconds,
            transport=self.around.transport,
            sleep=self.around.sleep,
        )

    @functools.cached_property
    def console(self) -> Console:
        """The standard output."""
        return self.around.make_console()

    def now(self) -> datetime:
        """The time, in UTC."""
        return self.around.now()


def door_of(context: typer.Context, address: str, token_file: Path | None) -> Door:
    """The door of a command."""
    return Door(address, token_file, context.find_object(Surroundings) or Surroundings())


def with_door(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `--server` and `--token-file` in place of its parameter `door`."""

    @functools.wraps(command)
    def run(
        context: typer.Context, *, server: str, token_file: Path | None, **arguments: Any
    ) -> None:
        command(door_of(context, server, token_file), **arguments)

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "door"
    ]
    given = [
        _keyword("context", typer.Context),
        *own,
        _keyword("server", ServerOption, default=""),
        _keyword("token_file", TokenFileOption, default=None),
    ]
    # Typer would look through it, to the signature of the command.
    del run.__wrapped__
    run.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in given}
    return run


def _keyword(
    name: str, annotation: object, *, default: object = inspect.Parameter.empty
) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
