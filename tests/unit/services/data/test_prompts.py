from collections.abc import Callable

import numpy as np
import pytest

from vppo_core.batch.prompts import PromptBatch
from vppo_core.errors import ConsistencyError, InvalidSpecError
from vppo_core.spec.data import DataSpec
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor
from vppo_services.data.prompts import PromptFactory, concat_prompts, select_prompts
from vppo_services.data.rows import BadReason, BadRowError, Row

Png = Callable[..., bytes]
OFFICIAL = (
    "{{ content | trim }}\n\nYou first think through the reasoning process as an internal "
    "monologue, enclosed within <think> </think> tags. Then, provide your final answer enclosed "
    "within \\boxed{}."
)


def row(
    uid: str = "7", problem: str = "<image>How many?", *images: bytes, answer: str = "3"
) -> Row:
    return Row(uid=uid, problem=problem, images=images, answer=answer)


def factory(processor: PromptProcessor, **fields: object) -> PromptFactory:
    return PromptFactory(processor, DataSpec(source="x", **fields))


def assert_equal(left: PromptBatch, right: PromptBatch) -> None:
    for name in PromptBatch.__dataclass_fields__:
        assert np.array_equal(getattr(left, name), getattr(right, name)), name


def test_a_row_becomes_a_prompt_with_its_images_as_they_were(
    processor: PromptProcessor, png: Png
) -> None:
    first, second = png(100, 60), png(56, 120, "blue", "JPEG")

    prompt = factory(processor).make(row("7", "<image>a<image>b", first, second), visit=2)

    assert len(prompt) == 1
    assert (prompt.uids, prompt.answers, prompt.problems) == (("7",), ("3",), ("<image>a<image>b",))
    assert prompt.visits.tolist() == [2]
    assert [prompt.image(i) for i in prompt.image_indices(0)] == [first, second]
    assert prompt.processor_fingerprint == processor.fingerprint
    assert prompt.prompt_lengths.tolist() == [prompt.prompt_ids.shape[1]]
    _, grids = processor.pixels([open_image(prompt.image(i)) for i in (0, 1)])
    assert np.array_equal(prompt.image_grids, grids)


def test_the_template_of_the_spec_makes_the_user_turn(processor: PromptProcessor, png: Png) -> None:
    make = factory(processor, prompt_template=OFFICIAL).make

    prompt = make(row("7", "  <image>How many?\n", png()), 0)

    text = processor.decode(processor.collapse(prompt.ids(0)), skip_special_tokens=False)
    assert text.startswith(
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>How many?\n\nYou first think"
    )
    assert text.endswith("within \\boxed{}.<|im_end|>\n<|im_start|>assistant\n")


def test_a_question_in_braces_is_not_run_as_a_template(processor: PromptProcessor) -> None:
    prompt = factory(processor).make(row("7", "What is {{ 6 * 7 }} {% raw %}?"), 0)

    assert "{{ 6 * 7 }} {% raw %}?" in processor.decode(prompt.ids(0))


def test_a_question_without_images_has_empty_image_arrays(processor: PromptProcessor) -> None:
    prompt = factory(processor).make(row("7", "How many?"), 0)

    assert prompt.image_grids.shape == (0, 3)
    assert prompt.image_offsets.tolist() == [0]
    assert len(prompt.image_bytes) == len(prompt.image_prompt) == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param({"problem": "  <image>\n"}, BadReason.EMPTY_PROBLEM, id="empty-question"),
        pytest.param({"answer": " \n"}, BadReason.EMPTY_ANSWER, id="empty-answer"),
        pytest.param({"problem": None}, BadReason.BAD_TYPE, id="question-of-none"),
        pytest.param({"answer": ["3"]}, BadReason.BAD_TYPE, id="answer-of-a-list"),
        pytest.param({"problem": "half \ud800"}, BadReason.BAD_TYPE, id="half-a-character"),
        pytest.param({"images": [b"no"]}, BadReason.CORRUPT_IMAGE, id="corrupt-image"),
        pytest.param({"images": []}, BadReason.IMAGE_COUNT, id="no-image"),
        pytest.param({"problem": "a <|image_pad|>"}, BadReason.SPECIAL_TOKEN, id="vision-token"),
        pytest.param({"problem": "<image>" + "many " * 400}, BadReason.TOO_LONG, id="too-long"),
        pytest.param({"size": (1000, 2)}, BadReason.REFUSED_IMAGE, id="absurd-shape"),
    ],
)
def test_what_cannot_be_trained_on_is_named(
    processor: PromptProcessor, png: Png, bad: dict[str, object], reason: BadReason
) -> None:
    size = bad.pop("size", (56, 56))
    fields = {"uid": "7", "problem": "<image>How?", "images": [png(*size)], "answer": "3", **bad}

    with pytest.raises(BadRowError) as caught:
        factory(processor, max_prompt_tokens=300).make(Row(**fields), 0)

    assert (caught.value.uid, caught.value.reason) == ("7", reason)
    assert caught.value.detail


def test_visual_tokens_count_towards_the_length(processor: PromptProcessor, png: Png) -> None:
    prompt = factory(processor).make(row("7", "How?", png(200, 200)), 0)
    length = int(prompt.prompt_lengths[0])

    factory(processor, max_prompt_tokens=length).make(row("7", "How?", png(200, 200)), 0)
    with pytest.raises(BadRowError, match=rf"\({length - 1}\), got {length} tokens"):
        factory(processor, max_prompt_tokens=length - 1).make(row("7", "How?", png(200, 200)), 0)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{{ content", id="does-not-parse"),
        pytest.param("{{ content | nothing }}", id="unknown-filter"),
        pytest.param("{{ content / 2 }}", id="does-not-run"),
        pytest.param("Say something.", id="without-content"),
        pytest.param("{{ content }}{{ answer }}", id="another-variable"),
        pytest.param("{{ content.__class__.__mro__ }}", id="out-of-the-sandbox"),
        pytest.param("{% for i in range(10**9) %}{{ content }}{% endfor %}", id="without-end"),
        pytest.param("{% include 'x' %}{{ content }}", id="another-file"),
    ],
)
def test_a_wrong_template_is_refused_with_its_field(
    processor: PromptProcessor, template: str
) -> None:
    with pytest.raises(InvalidSpecError, match=r"data\.promptTemplate must"):
        factory(processor, prompt_template=template)


def test_joined_prompts_hold_what_each_held(processor: PromptProcessor, png: Png) -> None:
    make = factory(processor).make
    single = [
        make(row("a", "<image>x<image>y", png(60, 60), png(90, 60)), 0),
        make(row("b", "no image"), 1),
        make(row("c", "How many?", png(120, 60)), 2),
    ]

    joined = concat_prompts(single)

    assert joined.uids == ("a", "b", "c")
    assert joined.visits.tolist() == [0, 1, 2]
    assert joined.image_prompt.tolist() == [0, 0, 2]
    assert [joined.image_indices(i) for i in range(3)] == [[0, 1], [], [2]]
    for index, prompt in enumerate(single):
        assert_equal(select_prompts(joined, [index]), prompt)
    assert_equal(concat_prompts([single[0], concat_prompts(single[1:])]), joined)
    assert_equal(select_prompts(joined, [0, 1, 2]), joined)
    assert_equal(select_prompts(joined, [2, 0]), concat_prompts([single[2], single[0]]))


def test_prompts_of_two_processors_are_not_joined(
    load: Callable[..., PromptProcessor], png: Png
) -> None:
    prompts = [
        factory(load(name)).make(row("a", "x", png()), 0) for name in ("qwen2.5-vl", "qwen3-vl")
    ]

    with pytest.raises(ConsistencyError, match="must come from one processor, got 2"):
        concat_prompts(prompts)
