"""A new job from the resolved spec of another one."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from vppo_core.archive.records import JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.names import generated_name
from vppo_core.spec.fields import nearest
from vppo_core.spec.job import API_VERSION, KIND, VPPOJob
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.objects import as_submitted
from vppo_core.spec.origin import REQUEST_ID
from vppo_core.spec.overrides import apply_overrides
from vppo_core.spec.parsing import Document
from vppo_core.spec.scheduling import DesiredState
from vppo_core.spec.wording import shown
from vppo_services.api.job_body import merged

_FIELDS = ("name", "set", "metadata", "spec")


def clone_of(record: JobRecord, body: Document) -> VPPOJob:
    """The job that a clone is: labels, annotations and spec of the other one, wanted to run.

    Args:
        body: `{"name": ..., "set": {"learner.numSteps": 100}}`; or `metadata` and `spec` as in a
            job, merged into those of the other one.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    _check_fields(body)
    notes = {name: text for name, text in record.annotations.items() if name != REQUEST_ID}
    source: Document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"labels": record.labels, "annotations": notes},
        "spec": {**json.loads(record.spec_json), "desiredState": DesiredState.RUNNING.value},
    }
    changes: Document = {name: body[name] for name in ("metadata", "spec") if name in body}
    document = merged(source, as_submitted(changes))
    document = _assigned(document, body.get("set") or {})
    meta = document.get("metadata")
    if isinstance(meta, dict):
        name = body.get("name", meta.get("name"))
        if name in (None, ""):
            name = generated_name(record.name, str(uuid.uuid4()))
        document["metadata"] = {**meta, "name": name}
    return job_from_document(document)


def _check_fields(body: Mapping[str, Any]) -> None:
    wrong = []
    for name in body:
        if name not in _FIELDS:
            near = nearest(name, _FIELDS)
            cure = f"did you mean '{near}'?" if near else f"use {', '.join(_FIELDS)}"
            wrong.append(f"{name[:64]} is not a field of a clone; {cure}")
    if not isinstance(body.get("set", {}) or {}, dict):
        wrong.append(
            f"set must hold fields of the spec, got {shown(body['set'])}; "
            'write {"learner.numSteps": 100}'
        )
    if wrong:
        raise InvalidSpecError("\n".join(wrong))


def _assigned(document: Document, values: Mapping[str, Any]) -> Document:
    assignments = [f"{path}={json.dumps(value)}" for path, value in values.items()]
    try:
        return apply_overrides(document, assignments)
    except InvalidSpecError as error:
        # The command line has a `--set`; here it is a field.
        raise InvalidSpecError(str(error).replace("--set ", "set ")) from None
