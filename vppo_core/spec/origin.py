"""Which request made a job: an id that its log lines carry from the door to the driver."""

import re
from collections.abc import Mapping
from typing import Any, Final

from vppo_core.spec.job import VPPOJob

REQUEST_ID: Final = "vppo.io/request-id"
"""Annotation with the `X-Request-ID` of the request that made the job."""

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_ANNOTATIONS: Final = 64


def is_request_id(text: str) -> bool:
    """Whether a caller may name a request so: it stands in log lines as it is."""
    return _ID.fullmatch(text) is not None


def request_of(annotations: Mapping[str, Any]) -> str:
    """The request that made the job with these annotations; empty where none is known."""
    found = str(annotations.get(REQUEST_ID) or "")
    return found if is_request_id(found) else ""


def made_by(job: VPPOJob, request_id: str) -> VPPOJob:
    """The job with the request that makes it, whatever it said of one itself."""
    others = {name: text for name, text in job.metadata.annotations.items() if name != REQUEST_ID}
    # A job with as many annotations as there may be is worth more than its origin.
    has_room = request_id and len(others) < _MOST_ANNOTATIONS
    notes = others | ({REQUEST_ID: request_id} if has_room else {})
    meta = job.metadata.model_copy(update={"annotations": notes})
    return job.model_copy(update={"metadata": meta})
