"""What an API server refuses, as the callers tell it apart."""

from vppo_core.errors import VPPOError


class KubeError(VPPOError):
    """The API server refused; the message is its own."""

    status = 500
    """HTTP status of the answer."""


class BadObjectError(KubeError):
    """The object is wrong (400, 422): the server's sentence names the field."""

    status = 422


class KubeForbiddenError(KubeError):
    """The account of this program may not do this (401, 403)."""

    status = 403


class KubeNotFoundError(KubeError):
    """No such object, or no such kind (404)."""

    status = 404


class KubeConflictError(KubeError):
    """The object changed since it was read (409)."""

    status = 409


class AlreadyExistsError(KubeError):
    """An object of that name exists (409 of a creation)."""

    status = 409


class KubeUnavailableError(KubeError):
    """The API server does not answer, or asks to come back later (429, 5xx); nothing is known."""

    status = 503
