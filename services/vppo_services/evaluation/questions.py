"""The held-out questions of a job, as prompts."""

import logging

from vppo_core.batch.prompts import PromptBatch
from vppo_core.errors import InvalidDataError
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.rows import BadRowError, RowSource
from vppo_services.data.sources import read_rows

_log = logging.getLogger(__name__)


def held_out(spec: VPPOJobSpec, factory: PromptFactory) -> list[PromptBatch]:
    """The first `evaluation.maxPrompts` usable rows of `data.validationSource`; none without one.

    Raises:
        InvalidDataError: the source cannot be read, or no row of it can be used.
    """
    if not spec.data.validation_source:
        return []
    rows: RowSource = read_rows(spec.data, spec.data.validation_source)
    prompts = []
    for index in range(min(len(rows), spec.evaluation.max_prompts)):
        try:
            prompts.append(factory.make(rows[index], 0))
        except BadRowError as bad:
            _log.warning("a held-out row is left out: %s", bad)
    if not prompts:
        raise InvalidDataError(
            f"data.validationSource '{spec.data.validation_source}' has no usable row among the "
            f"first {spec.evaluation.max_prompts}; leave it empty to train without evaluation"
        )
    return prompts
