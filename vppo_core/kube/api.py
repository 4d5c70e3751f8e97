"""What is asked of an API server. Objects are dicts as they travel."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from vppo_core.kube.kinds import Kind

KubeObject = dict[str, Any]


class KubeApi(Protocol):
    """An API server. Every method may be called from several threads.

    Raises:
        KubeUnavailableError: of every method, when the server does not answer.
        KubeForbiddenError: of every method, when this program may not do that.
    """

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        """The object, read from the server; None when there is none."""
        ...

    def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str | None] | None = None
    ) -> Sequence[KubeObject]:
        """All objects, of all namespaces where none is named; a label with None must only exist.

        Raises:
            KubeNotFoundError: the kind is not served.
        """
        ...

    def create(self, kind: Kind, body: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Make an object; unknown fields are refused. `metadata.namespace` says where.

        Raises:
            AlreadyExistsError, BadObjectError, KubeNotFoundError (no such namespace or kind).
        """
        ...

    def patch(
        self, kind: Kind, namespace: str, name: str, body: KubeObject, *, subresource: str = ""
    ) -> KubeObject:
        """Merge a change into an object; with `metadata.resourceVersion` only if that still holds.

        Raises:
            KubeNotFoundError, KubeConflictError, BadObjectError.
        """
        ...

    def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", in_background: bool = True
    ) -> bool:
        """Ask for an object's deletion; False when there is none (any more).

        Args:
            uid: delete only this very object.

        Raises:
            KubeConflictError: the object of that name is another one.
        """
        ...

    def pod_log(self, namespace: str, pod: str, *, container: str = "", tail: int = 1000) -> str:
        """The last lines of a container's output; empty when there is none."""
        ...
