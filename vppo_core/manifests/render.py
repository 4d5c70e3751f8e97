"""All objects of an attempt."""

from typing import Final

from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import (
    CONFIG_MAPS,
    DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
    RAY_JOBS,
    Kind,
)
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.config_map import config_map
from vppo_core.manifests.disruption import disruption_budget
from vppo_core.manifests.network_policy import network_policy
from vppo_core.manifests.rayjob import ray_job

PARTS: Final = (CONFIG_MAPS, NETWORK_POLICIES, DISRUPTION_BUDGETS, RAY_JOBS)
"""Kinds of an attempt's objects in the order of creation; all have the attempt's name."""


def render(request: AttemptRequest) -> list[KubeObject]:
    """The objects of the attempt in the order of creation, the RayJob last: its pods find the rest.

    The job must have passed `check_cluster_job` on this platform.
    """
    cluster = request.cluster
    return [
        config_map(request),
        *([network_policy(request)] if cluster.network_policy else []),
        *([disruption_budget(request)] if cluster.disruption_budget else []),
        ray_job(request),
    ]


def kind_of(rendered: KubeObject) -> Kind:
    """The kind of a rendered object, to create it by."""
    return next(kind for kind in PARTS if kind.name == rendered["kind"])
