"""Callers of a cluster: their tokens and their rights are those that `kubectl` has."""

from typing import Final

import anyio
import anyio.to_thread

from vppo_core.kube.api import KubeApi
from vppo_services.api.auth import Access, Caller
from vppo_services.cluster.access import RESOURCES, AccessReviews
from vppo_services.cluster.auth import TokenReviews, User

QUESTIONS_AT_ONCE: Final = 8
"""Tokens that are asked for at the same time, so that a flood of wrong ones is slow."""


class ClusterCallers:
    """Knows callers by TokenReview; what they may do is said by SubjectAccessReview."""

    def __init__(
        self,
        kube: KubeApi,
        *,
        tokens: TokenReviews | None = None,
        rights: AccessReviews | None = None,
    ) -> None:
        self._tokens = tokens or TokenReviews(kube)
        self._authorizer = ClusterAuthorizer(rights or AccessReviews(kube))
        self._limiter: anyio.CapacityLimiter | None = None

    async def caller_of(self, token: str) -> Caller | None:
        """The caller with this token, or None.

        Raises:
            StoreUnavailableError: the cluster does not answer.
        """
        is_known, user = self._tokens.recall(token)
        if not is_known:
            # Made here, where there is a loop that it can belong to.
            self._limiter = self._limiter or anyio.CapacityLimiter(QUESTIONS_AT_ONCE)
            user = await anyio.to_thread.run_sync(
                self._tokens.user_of, token, limiter=self._limiter
            )
        if user is None:
            return None
        return Caller(
            user.name, user.groups, authorizer=self._authorizer, uid=user.uid, extra=user.extra
        )


class ClusterAuthorizer:
    """Asks the cluster what a caller may do."""

    def __init__(self, rights: AccessReviews) -> None:
        self._rights = rights

    def recall(self, caller: Caller, access: Access) -> bool | None:
        """The answer of a moment ago; None when it has to be asked for."""
        return self._rights.recall(_user(caller), access.verb, access.resource, access.namespace)

    def ask(self, caller: Caller, access: Access) -> bool:
        """The cluster's answer; takes the time of a request.

        Raises:
            StoreUnavailableError: it does not answer.
        """
        return self._rights.ask(_user(caller), access.verb, access.resource, access.namespace)

    def refusal(self, caller: Caller, access: Access) -> str:
        """Names verb, resource and namespace as `kubectl auth can-i` takes them."""
        resource = RESOURCES[access.resource]
        title = resource.title if resource is not None else access.resource
        return (
            f"{caller.name} must be allowed to {access.verb} {title} in the namespace "
            f"'{access.namespace}', got no from the cluster; ask for a role that passes `kubectl "
            f"auth can-i {access.verb} {title} -n {access.namespace}`"
        )


def _user(caller: Caller) -> User:
    extra = {name: tuple(values) for name, values in caller.extra.items()}
    return User(caller.name, caller.uid, caller.groups, extra)
