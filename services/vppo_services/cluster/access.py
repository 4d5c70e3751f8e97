"""What a user may do: the cluster's own rules say so (SubjectAccessReview)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from vppo_core.kube.api import KubeApi
from vppo_core.kube.kinds import ACCESS_REVIEWS, VPPO_JOBS
from vppo_services.cluster.answers import answered
from vppo_services.cluster.auth import User
from vppo_services.cluster.memory import Memory

KNOWN_SECONDS: Final = 10.0
"""How long an answer holds."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What a rule of the cluster speaks of."""

    group: str
    name: str
    subresource: str = ""

    @property
    def title(self) -> str:
        """As `kubectl auth can-i` takes it: `vppojobs.vppo.io`, `pods/log`."""
        whole = f"{self.name}.{self.group}" if self.group else self.name
        return f"{whole}/{self.subresource}" if self.subresource else whole


JOBS: Final = Resource(VPPO_JOBS.group, VPPO_JOBS.plural)
RESOURCES: Final[Mapping[str, Resource | None]] = MappingProxyType(
    {
        "vppojobs": JOBS,
        "vppojobs/log": Resource("", "pods", "log"),
        # Counts of jobs, and messages about them: who may list or change jobs may have these.
        "queues": JOBS,
        "webhooks": JOBS,
        "pools": None,
        "schemas": None,
    }
)
"""What the API calls its things, as rules of the cluster; None is for every known caller."""


class AccessReviews:
    """Asks the cluster, and remembers its answers for ten seconds."""

    def __init__(self, kube: KubeApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._answers: Memory[tuple[str, str, str, str, str], bool] = Memory(clock)

    def recall(self, user: User, verb: str, resource: str, namespace: str) -> bool | None:
        """The answer if it is known; None otherwise."""
        if RESOURCES[resource] is None:
            return True
        return self._answers.find(_key(user, verb, resource, namespace))[1]

    def ask(self, user: User, verb: str, resource: str, namespace: str) -> bool:
        """Whether the user may do this there. Takes the time of a request.

        Raises:
            StoreUnavailableError: the cluster does not answer.
        """
        asked = RESOURCES[resource]
        if asked is None:
            return True
        spec = {
            "user": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {name: list(values) for name, values in user.extra.items()},
            "resourceAttributes": {
                "namespace": namespace,
                "verb": verb,
                "group": asked.group,
                "resource": asked.name,
                **({"subresource": asked.subresource} if asked.subresource else {}),
            },
        }
        with answered():
            review = self._kube.create(
                ACCESS_REVIEWS,
                {
                    "apiVersion": ACCESS_REVIEWS.api_version,
                    "kind": ACCESS_REVIEWS.name,
                    "spec": spec,
                },
            )
        status = review.get("status") or {}
        may = status.get("allowed") is True and status.get("denied") is not True
        self._answers.keep(_key(user, verb, resource, namespace), may, KNOWN_SECONDS)
        return may


def _key(user: User, verb: str, resource: str, namespace: str) -> tuple[str, str, str, str, str]:
    # Groups may differ between tokens of one user.
    identity = "\0".join((user.name, user.uid, *sorted(user.groups)))
    return identity, repr(sorted(user.extra.items())), verb, resource, namespace
