"""How the operator runs. Nothing else reads the environment, where all names begin `OPERATOR_`."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from vppo_core.archive.database import DATABASE_FILE
from vppo_core.spec.settings import refused


class OperatorSettings(BaseSettings):
    """Which jobs to run, where to keep what drivers send, and how fast to go."""

    model_config = SettingsConfigDict(
        env_prefix="OPERATOR_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces of the jobs, with commas between; empty means all."""

    platform_file: Path
    """YAML or JSON file of pools, queues and the cluster; it may change at any time."""

    state: Path = Path("/var/lib/vppo/state")
    """Folder of the archive, where it is SQLite, and of what drivers send."""

    database_url: str = ""
    """Archive, `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`; empty means `vppo.db` in
    the state folder, `none` that there is no archive."""

    receiver_host: str = "0.0.0.0"
    """Address that drivers are listened to on."""

    receiver_port: Annotated[int, Field(ge=0, le=65_535)] = 8443
    """Port of it; 0 takes a free one."""

    receiver_cert_file: Path | None = None
    """Certificate of the receiver, PEM."""

    receiver_key_file: Path | None = None
    """Its key, PEM. Without both, and without `receiver_insecure`, nobody is listened to."""

    receiver_insecure: bool = False
    """Whether drivers may report without TLS: for tests on one machine."""

    metrics_host: str = "0.0.0.0"
    """Address of `/metrics`, `/healthz` and `/readyz`."""

    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 8081
    """Port of these; 0 takes a free one."""

    lease: bool = False
    """Whether only the holder of a Lease works: needed with two replicas."""

    lease_namespace: str = ""
    """Namespace of the Leases; empty means that of the pod, or `default`."""

    identity: str = ""
    """Name under which this program holds the Lease; empty means that of its host."""

    resync_seconds: Annotated[float, Field(ge=5.0, le=3600.0)] = 300.0
    """After this time every job is looked at, though nothing was heard of it."""

    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """Jobs that are looked at at a time."""

    writes_per_second: Annotated[float, Field(gt=0.0, le=10_000.0)] = 200.0
    """Writes to the API server over a longer time."""

    write_burst: Annotated[int, Field(ge=1, le=100_000)] = 400
    """Writes to it at once."""

    log_level: Annotated[str, Field(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    """What is logged."""

    log_format: Annotated[str, Field(pattern=r"^(auto|json|text)$")] = "auto"
    """`json` for programs, `text` for people; `auto` writes text on a terminal alone."""

    @model_validator(mode="before")
    @classmethod
    def _split_namespaces(cls, values: Any) -> Any:
        text = values.get("namespaces") if isinstance(values, dict) else None
        if isinstance(text, str):
            names = tuple(name.strip() for name in text.split(",") if name.strip())
            values = {**values, "namespaces": names}
        return values

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.receiver_cert_file is None) != (self.receiver_key_file is None):
            raise ValueError(
                "OPERATOR_RECEIVER_CERT_FILE must come with OPERATOR_RECEIVER_KEY_FILE, got one of "
                "them; set both or none"
            )
        return self

    @property
    def database(self) -> str:
        """Address of the archive; empty where there is none."""
        if self.database_url == "none":
            return ""
        return self.database_url or f"sqlite:///{self.state.absolute() / DATABASE_FILE}"

    @property
    def has_receiver(self) -> bool:
        """Whether drivers are listened to."""
        return self.receiver_cert_file is not None or self.receiver_insecure


def read_settings(**given: Any) -> OperatorSettings:
    """The settings of the environment, with what is given in place of it.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    try:
        return OperatorSettings(**given)
    except ValidationError as error:
        raise refused(error, "OPERATOR_") from None


def read_kubeconfig() -> str:
    """File that names the cluster; empty means the one that this pod is in."""
    return os.environ.get("KUBECONFIG", "")
