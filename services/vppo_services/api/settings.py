"""How the API runs. Nothing else reads the environment, where all names start with `API_`."""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.wording import shown


class ApiSettings(BaseSettings):
    """Where to listen, whom to serve, and how much."""

    model_config = SettingsConfigDict(
        env_prefix="API_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address to listen on; another than a loopback one needs a token file."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Port to listen on; 0 takes a free one."""

    token_file: Path | None = None
    """File with a line `TOKEN NAME [GROUPS]` for each caller. Without it only programs of this
    machine are served."""

    rate: Annotated[float, Field(gt=0.0, le=1e6)] = 600.0
    """Requests a second that one caller may make over a longer time."""

    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1200
    """Requests that one caller may make at once."""

    max_streams: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Streams that one caller may have open."""

    allow_private_webhooks: bool = False
    """Whether webhooks may lead to addresses inside private networks."""

    @model_validator(mode="after")
    def _strangers_need_tokens(self) -> Self:
        if self.token_file is None and not is_loopback(self.host):
            raise ValueError(
                f"API_HOST must be a loopback address without API_TOKEN_FILE, got '{self.host}'; "
                "name a token file, or listen on 127.0.0.1"
            )
        return self


def read_settings(**given: Any) -> ApiSettings:
    """The settings of the environment, with what is given in place of it.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    try:
        return ApiSettings(**given)
    except ValidationError as error:
        lines = [_line(dict(details)) for details in error.errors(include_url=False)]
        raise InvalidSpecError("\n".join(lines)) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    plain = host.strip("[]")
    if plain.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _line(details: dict[str, Any]) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    name = "_".join(str(part) for part in details["loc"]).upper()
    rule = details["msg"][:1].lower() + details["msg"][1:]
    return f"API_{name} is wrong ({rule}), got {shown(details['input'])}; correct it"
