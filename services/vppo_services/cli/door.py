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

from vppo_services.cli.port_forward import KUBE
from vppo_services.cli.server import (
    DEFAULT_SERVER,
    NAMESPACE_VARIABLE,
    SERVER_VARIABLE,
    server_of,
)

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
        help=f"Address of the API, or kube://NAMESPACE/SERVICE; {DEFAULT_SERVER} if neither is "
        "given.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
KubeOption = Annotated[
    bool,
    typer.Option(
        "--kube",
        help="Reach the API through the kubeconfig: the same as --server kube://",
        rich_help_panel=PANEL,
    ),
]
NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        envvar=NAMESPACE_VARIABLE,
        help="Namespace of a cluster; else the server's own one.",
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
    namespace: str = ""

    def client(self, *, timeout_seconds: float = 30.0, tries: int = 4) -> "Client":
        """A client of the server. Made on demand: httpx is slow to import.

        Raises:
            InvalidSpecError: the address or the token cannot be used.
        """
        from vppo_services.cli.client import Client, Retries

        return Client(
            server_of(self.address, self.token_file, namespace=self.namespace),
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


def door_of(
    context: typer.Context, address: str, token_file: Path | None, namespace: str = ""
) -> Door:
    """The door of a command."""
    around = context.find_object(Surroundings) or Surroundings()
    return Door(address, token_file, around, namespace)


def with_door(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `--server` and what goes with it in place of its parameter `door`."""

    @functools.wraps(command)
    def run(
        context: typer.Context,
        *,
        server: str,
        kube: bool,
        namespace: str,
        token_file: Path | None,
        **arguments: Any,
    ) -> None:
        address = f"{KUBE}://" if kube else server
        command(door_of(context, address, token_file, namespace), **arguments)

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "door"
    ]
    given = [
        _keyword("context", typer.Context),
        *own,
        _keyword("server", ServerOption, default=""),
        _keyword("kube", KubeOption, default=False),
        _keyword("namespace", NamespaceOption, default=""),
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
