"""Rows of a data set as `PromptBatch` objects; what cannot become one is named and set aside."""

from collections.abc import Sequence
from typing import Final

import jinja2
import jinja2.meta
import numpy as np
from jinja2.sandbox import ImmutableSandboxedEnvironment
from PIL import Image

from vppo_core.batch.axes import pad_right
from vppo_core.batch.prompts import PromptBatch
from vppo_core.errors import ConsistencyError, InvalidSpecError
from vppo_core.spec.data import DataSpec
from vppo_services.data.chat import IMAGE_MARK
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor
from vppo_services.data.rows import BadPromptError, BadReason, BadRowError, Row, as_text

# A template is a small program; these are what running it may end in.
TEMPLATE_ERRORS: Final = (
    jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
    RecursionError,
)  # fmt: skip


class PromptFactory:
    """Makes prompts of rows: template, images, processor and length bound in one place."""

    def __init__(self, processor: PromptProcessor, spec: DataSpec) -> None:
        """Compile the template.

        Raises:
            InvalidSpecError: `data.promptTemplate` is not a template of `content`.
        """
        self._processor = processor
        self._max_tokens = spec.max_prompt_tokens
        self._template = compile_template(spec.prompt_template)

    def make(self, row: Row, visit: int) -> PromptBatch:
        """One prompt, P = 1; `visit` says how often this row was drawn before.

        Raises:
            BadRowError: the row cannot be trained on; the error says why.
        """
        self._check_texts(row)
        images = [_open(row.uid, index, raw) for index, raw in enumerate(row.images)]
        try:
            text = self._template.render(content=row.problem)
            encoded = self._processor.encode(text, images)
        except BadPromptError as error:
            raise BadRowError(row.uid, error.reason, error.detail) from error
        except TEMPLATE_ERRORS as error:
            raise BadRowError(
                row.uid, BadReason.BAD_TYPE, f"the question cannot be made a prompt: {error}"
            ) from error
        if len(encoded.ids) > self._max_tokens:
            raise BadRowError(
                row.uid,
                BadReason.TOO_LONG,
                f"a prompt may have at most data.maxPromptTokens ({self._max_tokens}), "
                f"got {len(encoded.ids)} tokens",
            )
        return PromptBatch(
            uids=(row.uid,),
            visits=np.array([visit], dtype=np.int32),
            prompt_ids=encoded.ids[None],
            prompt_lengths=np.array([len(encoded.ids)], dtype=np.int32),
            image_bytes=np.frombuffer(b"".join(row.images), dtype=np.uint8),
            image_offsets=np.cumsum([0, *map(len, row.images)], dtype=np.int64),
            image_prompt=np.zeros(len(row.images), dtype=np.int32),
            image_grids=encoded.grids,
            problems=(row.problem,),
            answers=(row.answer,),
            processor_fingerprint=self._processor.fingerprint,
        )

    @staticmethod
    def _check_texts(row: Row) -> None:
        problem = as_text(row.uid, "question", row.problem)
        answer = as_text(row.uid, "answer", row.answer)
        if not problem.replace(IMAGE_MARK, "").strip():
            raise BadRowError(row.uid, BadReason.EMPTY_PROBLEM, "the question has no words")
        if not answer.strip():
            raise BadRowError(row.uid, BadReason.EMPTY_ANSWER, "the answer is empty")


def compile_template(source: str) -> jinja2.Template:
    """A sandboxed template of one variable, `content`, tried once.

    Raises:
        InvalidSpecError: it does not parse, does not run, or asks for another variable or none.
    """
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    try:
        names = jinja2.meta.find_undeclared_variables(environment.parse(source))
        template = environment.from_string(source)
        if names == {"content"}:
            template.render(content=f"{IMAGE_MARK}How many?")
    except TEMPLATE_ERRORS as error:
        raise InvalidSpecError(
            f"data.promptTemplate must be a Jinja template that runs, got {type(error).__name__}: "
            f"{error}; '{{{{ content | trim }}}}' passes the question on as it is"
        ) from error
    if names != {"content"}:
        raise InvalidSpecError(
            f"data.promptTemplate must use the variable 'content' and no other, got "
            f"{sorted(names) or 'none'}; write {{{{ content }}}} where the question stands"
        )
    return template


def concat_prompts(batches: Sequence[PromptBatch]) -> PromptBatch:
    """Several batches as one, in order.

    Raises:
        ConsistencyError: they were made by different processors.
    """
    assert batches, "concat_prompts needs at least one batch"
    prints = {batch.processor_fingerprint for batch in batches}
    if len(prints) != 1:
        raise ConsistencyError(
            f"prompts of one batch must come from one processor, got {len(prints)}: "
            f"{', '.join(sorted(p[:12] for p in prints))}; all roles must load one model revision"
        )
    starts = np.cumsum([0, *(len(batch.image_bytes) for batch in batches)])
    rows = np.cumsum([0, *(len(batch) for batch in batches)])
    return PromptBatch(
        uids=tuple(uid for batch in batches for uid in batch.uids),
        visits=np.concatenate([batch.visits for batch in batches]),
        prompt_ids=pad_right([b.ids(i) for b in batches for i in range(len(b))], np.int32),
        prompt_lengths=np.concatenate([batch.prompt_lengths for batch in batches]),
        image_bytes=np.concatenate([batch.image_bytes for batch in batches]),
        image_offsets=np.concatenate(
            [np.zeros(1, dtype=np.int64)]
            + [b.image_offsets[1:] + start for b, start in zip(batches, starts, strict=False)]
        ),
        image_prompt=np.concatenate(
            [b.image_prompt + row for b, row in zip(batches, rows, strict=False)]
        ).astype(np.int32),
        image_grids=np.concatenate([batch.image_grids for batch in batches]),
        problems=tuple(text for batch in batches for text in batch.problems),
        answers=tuple(text for batch in batches for text in batch.answers),
        processor_fingerprint=batches[0].processor_fingerprint,
    )


def select_prompts(batch: PromptBatch, prompts: Sequence[int]) -> PromptBatch:
    """The named prompts with their images, in the order given."""
    images = [index for prompt in prompts for index in batch.image_indices(prompt)]
    raw = [batch.image(index) for index in images]
    return PromptBatch(
        uids=tuple(batch.uids[p] for p in prompts),
        visits=batch.visits[list(prompts)],
        prompt_ids=pad_right([batch.ids(p) for p in prompts], np.int32),
        prompt_lengths=batch.prompt_lengths[list(prompts)],
        image_bytes=np.frombuffer(b"".join(raw), dtype=np.uint8),
        image_offsets=np.cumsum([0, *map(len, raw)], dtype=np.int64),
        image_prompt=np.repeat(
            np.arange(len(prompts), dtype=np.int32),
            [len(batch.image_indices(p)) for p in prompts],
        ),
        image_grids=batch.image_grids[images],
        problems=tuple(batch.problems[p] for p in prompts),
        answers=tuple(batch.answers[p] for p in prompts),
        processor_fingerprint=batch.processor_fingerprint,
    )


def _open(uid: str, index: int, raw: bytes) -> Image.Image:
    try:
        return open_image(raw)
    except ValueError as error:
        raise BadRowError(uid, BadReason.CORRUPT_IMAGE, f"image {index}: {error}") from error
