"""Which namespace a new job is meant for: its body, the request or the server says so."""

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.parsing import Document
from vppo_core.spec.wording import shown
from vppo_services.api.deps import NamespaceDep, SettingsDep
from vppo_services.api.parameters import Namespace
from vppo_services.api.settings import ApiSettings


class Placing:
    """What a request says of it, before its body is read."""

    def __init__(
        self, settings: SettingsDep, namespace: NamespaceDep, asked: Namespace = None
    ) -> None:
        self.settings = settings
        self._default = namespace
        self._asked = asked

    def of(self, document: Document) -> str:
        """The namespace of the job in a body.

        Raises:
            InvalidSpecError: body and request disagree, or the server does not serve it.
        """
        return namespace_in(
            document, default=self._default, settings=self.settings, asked=self._asked
        )


def namespace_in(
    document: Document, *, default: str, settings: ApiSettings, asked: str | None = None
) -> str:
    """The namespace that a job is meant for: what its body says, or else the default.

    Args:
        asked: what the request says, which the body must not contradict.

    Raises:
        InvalidSpecError: body and request disagree, or the server does not serve it.
    """
    meta = document.get("metadata")
    named = meta.get("namespace") if isinstance(meta, dict) else None
    if not settings.is_cluster or not isinstance(named, str) or not named:
        return default  # what is wrong with it is told with the rest of the job
    if asked not in (None, named):
        raise InvalidSpecError(
            f"metadata.namespace must be that of the request, '{asked}', got {shown(named)}; "
            "leave one of them out"
        )
    trouble = settings.trouble_with(named)
    if trouble:
        raise InvalidSpecError(f"metadata.namespace {trouble}")
    return named
