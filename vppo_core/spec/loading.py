"""Text of a job file to a checked job, or a sentence for each thing that is wrong with it."""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.job import API_VERSION, KIND, VPPOJob
from vppo_core.spec.overrides import apply_overrides
from vppo_core.spec.parsing import Document, read_document
from vppo_core.spec.wording import sentences, shown


def load_job(text: str, overrides: Sequence[str] = ()) -> VPPOJob:
    """The job in a file, with `--set` assignments applied.

    Raises:
        InvalidSpecError: one line for each thing that is wrong; each names field, value and cure.
    """
    return job_from_document(apply_overrides(read_document(text), overrides))


def job_text(job: VPPOJob) -> str:
    """The resolved job as JSON, defaults included; `load_job` reads it back."""
    return json.dumps(job.model_dump(mode="json", by_alias=True), indent=2) + "\n"


def job_from_document(document: Document) -> VPPOJob:
    """The job in a parsed file; names as on the wire, and no value converted to another type.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    wrong = [
        f"{field} must be '{right}', got {shown(document.get(field))}; write {field}: {right}"
        for field, right in (("apiVersion", API_VERSION), ("kind", KIND))
        if document.get(field) != right
    ]
    try:
        # Through JSON: there an enum is its text, and 8 is a float, but "8" is no number.
        job = VPPOJob.model_validate_json(
            json.dumps(document), strict=True, by_alias=True, by_name=False
        )
    except ValidationError as error:
        found = sentences(error)
        wrong += [line for line in found if not line.startswith(("apiVersion ", "kind "))]
        raise InvalidSpecError("\n".join(wrong)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSpecError(
            f"the job must hold text, numbers, true, false, lists and mappings ({error}); "
            "remove YAML tags such as !!binary"
        ) from None
    if wrong:
        raise InvalidSpecError("\n".join(wrong))
    return job
