"""What is asked of the renderer: one attempt of one job on one platform."""

from dataclasses import dataclass
from typing import Final

from vppo_core.lifecycle.names import attempt_name
from vppo_core.spec.cluster import STATE_MOUNT, ClusterSpec, token_audience
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec

UNKNOWN_UID: Final = "00000000-0000-0000-0000-000000000000"
"""Stands for the uid of a job that nobody has created yet."""

TOKEN_MOUNT: Final = "/var/run/secrets/vppo"
TOKEN_NAME: Final = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRequest:
    """One attempt to be rendered."""

    job: VPPOJob
    """The accepted job, with name and namespace; its micro-batch is halved already where that is
    wanted."""

    uid: str
    """Of the job object; it owns everything that is rendered."""

    index: int
    """1 for the first attempt."""

    platform: PlatformSpec
    """With `cluster`."""

    ca: str = ""
    """Certificate, PEM, that the receiver's one is signed by; empty: those of the image."""

    active_seconds_left: float | None = None
    """What is left of `activeDeadlineSeconds`; None when the job has no such limit."""

    @property
    def name(self) -> str:
        """Name of every object of the attempt."""
        return attempt_name(self.job.metadata.name, self.index)

    @property
    def namespace(self) -> str:
        """Namespace of the job and of every object of the attempt."""
        return self.job.metadata.namespace

    @property
    def cluster(self) -> ClusterSpec:
        """How the platform makes pods."""
        assert self.platform.cluster is not None, "a platform without a cluster renders nothing"
        return self.platform.cluster

    @property
    def output(self) -> str:
        """The job's run folder in every pod."""
        return f"{STATE_MOUNT}/runs/{self.uid}"

    @property
    def audience(self) -> str:
        """Audience of the token that its driver reports with."""
        return token_audience(self.namespace, self.job.metadata.name)
