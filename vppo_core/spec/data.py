"""Which questions, images and answers are trained on."""

from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import ShortText, SpecModel, UnitInterval, Uri


class DataSpec(SpecModel):
    """Rows of a question, its images and the right answer."""

    source: Annotated[Uri, Field(min_length=1)]
    """Parquet, JSON lines, an image folder, a Hugging Face id, or `demo://NAME`."""

    validation_source: Uri = ""
    """Held-out rows for evaluation, in the same forms; empty means no evaluation."""

    problem_key: Annotated[ShortText, Field(min_length=1)] = "problem"
    """Column that holds the question, with one `<image>` where each image stands."""

    answer_key: Annotated[ShortText, Field(min_length=1)] = "answer"
    """Column that holds the right answer."""

    images_key: Annotated[ShortText, Field(min_length=1)] = "images"
    """Column that holds the list of images: bytes, paths, or objects with either."""

    prompt_template: Annotated[str, Field(max_length=8192)] = "{{ content | trim }}"
    """Jinja template of the user turn; `content` is the question."""

    max_prompt_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    """Longer prompts, visual tokens included, are set aside."""

    shuffle: bool = True
    """Draw a new seeded order in every epoch; otherwise the order of the source."""

    max_quarantine_share: UnitInterval = 0.05
    """The job stops when more than this share of the rows seen was set aside."""
