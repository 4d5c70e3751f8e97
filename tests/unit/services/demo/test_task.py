import numpy as np
import pytest

from vppo_core.rewards.exact_match import grade
from vppo_services.demo.task import (
    COLOURS,
    IMAGE_PIXELS,
    NUM_WORDS,
    QUESTION,
    SHORT_QUESTION,
    WORDS,
    draw_picture,
    draw_response,
)
from vppo_services.demo.tokenizer import SPECIAL_TOKENS, build_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def test_equal_generators_draw_equal_pictures():
    first, second = (draw_picture(np.random.default_rng(3)) for _ in range(2))
    assert first.colours == second.colours
    assert first.image.tobytes() == second.image.tobytes()


def test_each_cell_shows_the_colour_that_the_answer_names():
    rng = np.random.default_rng(5)
    for _ in range(50):
        picture = draw_picture(rng)
        pixels = np.asarray(picture.image).astype(int)
        half = IMAGE_PIXELS // 2
        for cell, name in enumerate(picture.colours):
            row, column = divmod(cell, 2)
            part = pixels[row * half :, column * half :][:half, :half].reshape(-1, 3)
            shape = part[np.abs(part - pixels[0, 0]).sum(1) > 60]
            distances = {c: np.abs(shape.mean(0) - rgb).sum() for c, rgb in COLOURS.items()}
            assert min(distances, key=distances.__getitem__) == name


@pytest.mark.parametrize("ramble", [True, False])
def test_a_drawn_response_is_graded_right(ramble: bool):
    rng = np.random.default_rng(0)
    picture = draw_picture(rng)
    response = draw_response(rng, picture.colours, ramble=ramble)
    assert grade(response, picture.answer).accuracy == 1.0


def test_talk_is_sixteen_of_thirty_two_words_whatever_the_picture():
    assert len(set(WORDS)) == 32
    response = draw_response(np.random.default_rng(1), ("red",) * 4, ramble=True)
    words = response.split(" \\boxed")[0].split()
    assert len(words) == NUM_WORDS
    assert set(words) <= set(WORDS)


def test_every_word_of_the_task_is_one_token(tokenizer):
    for word in [*WORDS, *(f" {name}" for name in (*WORDS, *COLOURS))]:
        assert len(tokenizer(word).input_ids) == 1, word
    assert len(tokenizer(QUESTION).input_ids) == 8
    assert len(tokenizer(SHORT_QUESTION).input_ids) == 4


def test_any_text_encodes_and_decodes_to_itself(tokenizer):
    text = "é 日本 \\frac{1}{2}\n\n <think>no</think> red\tgreen"
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_special_tokens_have_the_first_ids_and_are_never_split(tokenizer):
    for index, token in enumerate(SPECIAL_TOKENS):
        assert tokenizer(token).input_ids == [index]
    assert tokenizer.eos_token == "<|im_end|>"
