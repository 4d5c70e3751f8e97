"""The one file that imports the Kubernetes client. It takes dicts, so both majors serve."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import urllib3
from kubernetes import client, config
from kubernetes.client.rest import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError

from vppo_core.kube.api import KubeObject
from vppo_core.kube.errors import (
    AlreadyExistsError,
    BadObjectError,
    KubeConflictError,
    KubeError,
    KubeForbiddenError,
    KubeNotFoundError,
    KubeUnavailableError,
)
from vppo_core.kube.kinds import PODS, Kind

PAGE: Final = 500
TIMEOUT_SECONDS: Final = 30
CONNECTIONS: Final = 64
"""Kept open at most; one that more threads ask for is made anew for each call."""

_EXPIRED: Final = 410
"""A list that was begun before the server forgot what was then: it has to begin again."""

_KINDS_OF_ERROR: Final[dict[int, type[KubeError]]] = {
    400: BadObjectError,
    401: KubeForbiddenError,
    403: KubeForbiddenError,
    404: KubeNotFoundError,
    409: KubeConflictError,
    _EXPIRED: KubeUnavailableError,
    422: BadObjectError,
    429: KubeUnavailableError,
}


class KubeClient:
    """An API server that is reached through the `kubernetes` package."""

    def __init__(self, api: client.ApiClient, *, timeout_seconds: int = TIMEOUT_SECONDS) -> None:
        # Its discovery asks for every kind that exists and writes a file; our paths are known.
        self._api = DynamicClient(api, discoverer=lambda *_: None)
        self._timeout = timeout_seconds

    @classmethod
    def from_environment(cls, *, kubeconfig: str = "", context: str = "") -> "KubeClient":
        """The cluster that this pod is in; outside of one, that of a kubeconfig.

        Raises:
            KubeUnavailableError: neither is there.
        """
        settings = client.Configuration()
        try:
            if kubeconfig or context:
                config.load_kube_config(
                    config_file=kubeconfig or None,
                    context=context or None,
                    client_configuration=settings,
                )
            else:
                _load_any(settings)
        except config.ConfigException as error:
            raise KubeUnavailableError(
                f"a cluster must be named by KUBECONFIG or be the one that this runs in ({error}); "
                "set KUBECONFIG"
            ) from None
        settings.retries = False
        settings.connection_pool_maxsize = CONNECTIONS
        return cls(client.ApiClient(settings))

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        """The object, read from the server; None when there is none."""
        try:
            return self._json("get", kind.path(namespace, name))
        except KubeNotFoundError:
            return None

    def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str | None] | None = None
    ) -> Sequence[KubeObject]:
        """All objects, page by page."""
        selector = ",".join(k if v is None else f"{k}={v}" for k, v in (labels or {}).items())
        query = [("limit", str(PAGE)), *([("labelSelector", selector)] if selector else [])]
        try:
            return self._pages(kind, namespace, query)
        except KubeUnavailableError as error:
            if error.status != _EXPIRED:
                raise
            return self._pages(kind, namespace, query)

    def _pages(
        self, kind: Kind, namespace: str, query: Sequence[tuple[str, str]]
    ) -> Sequence[KubeObject]:
        found: list[KubeObject] = []
        onward = ""
        while True:
            more = [("continue", onward)] if onward else []
            page = self._json("get", kind.path(namespace), query=[*query, *more])
            # The server leaves both out of the items of a list.
            head = {"apiVersion": kind.api_version, "kind": kind.name}
            found += [head | item for item in page.get("items") or []]
            onward = page.get("metadata", {}).get("continue") or ""
            if not onward:
                return found

    def create(self, kind: Kind, body: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Make an object; unknown fields are refused."""
        query = [("fieldValidation", "Strict"), *([("dryRun", "All")] if dry_run else [])]
        path = kind.path(body.get("metadata", {}).get("namespace", ""))
        try:
            return self._json("post", path, body=body, query=query)
        except KubeConflictError as error:
            raise AlreadyExistsError(str(error)) from None

    def patch(
        self, kind: Kind, namespace: str, name: str, body: KubeObject, *, subresource: str = ""
    ) -> KubeObject:
        """Merge a change into an object."""
        return self._json(
            "patch",
            kind.path(namespace, name, subresource),
            body=body,
            query=[("fieldValidation", "Strict")],
            content_type="application/merge-patch+json",
        )

    def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", in_background: bool = True
    ) -> bool:
        """Ask for an object's deletion; False when there is none (any more)."""
        body: KubeObject = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background" if in_background else "Foreground",
        }
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self._json("delete", kind.path(namespace, name), body=body)
        except KubeNotFoundError:
            return False
        return True

    def pod_log(self, namespace: str, pod: str, *, container: str = "", tail: int = 1000) -> str:
        """The last lines of a container's output; empty when there is none."""
        query = [("tailLines", str(tail)), *([("container", container)] if container else [])]
        try:
            raw = self._call("get", PODS.path(namespace, pod, "log"), query=query)
        except (KubeNotFoundError, BadObjectError):  # 400: the container has not started
            return ""
        return raw.decode("utf-8", "replace")

    def _json(self, method: str, path: str, **options: Any) -> KubeObject:
        answer: KubeObject = json.loads(self._call(method, path, **options))
        return answer

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: KubeObject | None = None,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> bytes:
        try:
            answer = self._api.request(
                method,
                path,
                body=body,
                query_params=list(query),
                header_params={"Accept": "*/*" if path.endswith("/log") else "application/json"},
                content_type=content_type,
                serialize=False,
                _request_timeout=self._timeout,
            )
        except (DynamicApiError, ApiException) as error:
            if error.status:
                raise _translated(error) from None
            # The package wraps what TLS has to say, and that alone.
            raise _unanswered(str(error.reason).partition("\n")[0], path) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unanswered(type(error).__name__, path) from error
        data: bytes = answer.data
        return data


def _load_any(settings: client.Configuration) -> None:
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        config.load_kube_config(client_configuration=settings)


def _unanswered(what: str, path: str) -> KubeUnavailableError:
    return KubeUnavailableError(
        f"the API server must answer, got {what} for {path}; it is tried again"
    )


def _translated(error: Any) -> KubeError:
    status = int(error.status)
    kind = _KINDS_OF_ERROR.get(status, KubeUnavailableError if status >= 500 else KubeError)
    raised = kind(_message(error))
    raised.status = status
    return raised


def _message(error: Any) -> str:
    """The server's sentence, where the body is a Status."""
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, TypeError, KeyError):
        return f"{error.status} {error.reason}"
