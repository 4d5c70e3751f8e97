"""What an API server refuses, as the errors of a store of jobs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from vppo_core.archive.errors import NotAllowedNowError, StaleVersionError, StoreUnavailableError
from vppo_core.errors import InvalidSpecError
from vppo_core.kube.errors import (
    AlreadyExistsError,
    BadObjectError,
    KubeConflictError,
    KubeError,
    KubeForbiddenError,
    KubeNotFoundError,
    KubeUnavailableError,
)

_RBAC: Final = ("cannot ", "Unauthorized")
"""What the sentence of a server has when an account lacks a right, and not when a quota or a
policy refuses an object."""


@contextmanager
def answered() -> Iterator[None]:
    """Turn what the API server refuses into errors of the store; `AlreadyExistsError` passes.

    Raises:
        StoreUnavailableError: it does not answer, does not serve VPPOJobs, or does not let this
            program in.
        InvalidSpecError: it refuses the object; the sentence is its own.
        NotAllowedNowError: a quota, a policy or a namespace that ends refuses it.
        StaleVersionError: the object changed since it was read.
    """
    try:
        yield
    except AlreadyExistsError:
        raise
    except KubeError as error:
        raise _translated(error) from error


def _translated(error: KubeError) -> Exception:
    said = str(error).strip()
    kind, rule, cure = _wording(error, said)
    return kind(f"{rule}, got '{said}'; {cure}")


def _wording(error: KubeError, said: str) -> tuple[type[Exception], str, str]:
    """Error, rule and cure."""
    found: tuple[type[Exception], str, str] = (
        StoreUnavailableError,
        "the API server must answer",
        "nothing is known to be done, try again",
    )
    match error:
        case KubeUnavailableError():
            pass
        case KubeForbiddenError() if any(word in said for word in _RBAC):
            rule = "the API's service account must have its rights"
            cure = "ask who runs the platform to install the chart's roles"
            found = StoreUnavailableError, rule, cure
        case KubeForbiddenError():
            cure = "free some of it, or ask who runs the platform"
            found = NotAllowedNowError, "the cluster must admit the job", cure
        case KubeConflictError():
            cure = "read it again and repeat the change"
            found = StaleVersionError, "the job must be as it was read", cure
        case KubeNotFoundError() if "namespaces" in said:
            cure = "create it, or choose another"
            found = InvalidSpecError, "metadata.namespace must be one that exists", cure
        case KubeNotFoundError():
            cure = "install the chart vppo-crds"
            found = StoreUnavailableError, "the cluster must serve VPPOJobs", cure
        case BadObjectError():
            found = InvalidSpecError, "the cluster must take the job", "correct it"
    return found
