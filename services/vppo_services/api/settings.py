"""How the API runs. Nothing else reads the environment, where all names start with `API_`."""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from vppo_core.spec.settings import refused

_NAMESPACE: Final = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
LOCAL_NAMESPACE: Final = "default"
"""The one namespace of a machine."""


class StoreKind(StrEnum):
    """Where jobs are kept and who runs them."""

    LOCAL = "local"
    KUBE = "kube"


class ApiSettings(BaseSettings):
    """Where to listen, whom to serve, and how much."""

    model_config = SettingsConfigDict(
        env_prefix="API_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    job_store: StoreKind = StoreKind.LOCAL
    """`local` runs jobs on this machine; `kube` keeps them as VPPOJobs of a cluster, where the
    operator runs them and tokens and permissions are those of the cluster."""

    namespace: str = LOCAL_NAMESPACE
    """On a cluster: the namespace of requests that name none."""

    namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """On a cluster: the namespaces that are served, with commas between; empty serves all."""

    state: Path = Path("vppo-state")
    """Folder of the database and, below `jobs`, of the files of each run."""

    database: str = ""
    """SQLAlchemy URL of the archive; empty means a SQLite file in the state folder."""

    platform: Path | None = None
    """YAML or JSON file with pools and queues; a cluster needs one, a machine has its own."""

    host: str = "127.0.0.1"
    """Address to listen on; another than a loopback one needs a token file, or a cluster."""

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

    log_format: Annotated[str, Field(pattern=r"^(auto|json|text)$")] = "auto"
    """`json` for programs, `text` for people; `auto` writes text on a terminal alone."""

    @property
    def is_cluster(self) -> bool:
        """Whether jobs are VPPOJobs of a cluster."""
        return self.job_store is StoreKind.KUBE

    def trouble_with(self, namespace: str) -> str:
        """Why a namespace is not served: rule, value and cure without a subject; empty if it is."""
        served = self.namespaces if self.is_cluster else (LOCAL_NAMESPACE,)
        if not served or namespace in served:
            return ""
        if not self.is_cluster:
            return f"must be '{LOCAL_NAMESPACE}' on one machine, got '{namespace}'; leave it out"
        choices = ", ".join(f"'{one}'" for one in served)
        return f"must be one that this server serves, {choices}, got '{namespace}'; choose one"

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        if isinstance(given, str):
            return tuple(one.strip() for one in given.split(",") if one.strip())
        return given

    @model_validator(mode="after")
    def _strangers_need_tokens(self) -> Self:
        if self.token_file is None and not self.is_cluster and not is_loopback(self.host):
            raise ValueError(
                f"API_HOST must be a loopback address without API_TOKEN_FILE, got '{self.host}'; "
                "name a token file, or listen on 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _cluster_is_whole(self) -> Self:
        if not self.is_cluster:
            return self
        for name in (self.namespace, *self.namespaces):
            if not _NAMESPACE.match(name):
                raise ValueError(
                    "API_NAMESPACE and API_NAMESPACES must be namespaces of a cluster, got "
                    f"'{name[:80]}'; write lower-case letters, digits and -"
                )
        if self.namespaces and self.namespace not in self.namespaces:
            raise ValueError(
                f"API_NAMESPACE must be one of API_NAMESPACES ({', '.join(self.namespaces)}), got "
                f"'{self.namespace}'; add it there"
            )
        if self.token_file is not None:
            raise ValueError(
                f"API_TOKEN_FILE must be empty with API_JOB_STORE=kube, got '{self.token_file}'; "
                "callers show tokens of the cluster"
            )
        if self.platform is None:
            raise ValueError(
                "API_PLATFORM must name the platform file with API_JOB_STORE=kube, got nothing; "
                "mount the one that the operator has"
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
        raise refused(error, "API_") from None


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
