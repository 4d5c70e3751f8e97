"""A first, half-good policy: supervised steps until the answers are right about half of the time.

A quarter of the samples ramble before they answer; half have a random share of their patches black.
The black patches matter: without them a masked picture throws so small a model off everywhere, and
token dependency would measure surprise instead of looking.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from vppo_services.demo.dataset import stream
from vppo_services.demo.model import quiet_bars
from vppo_services.demo.task import QUESTION, SHORT_QUESTION, draw_picture, draw_response

StepProgress = Callable[[int, int], None]

# One visual token per cell of the picture for patches of 14 and of 16 px.
PIXELS: Final = {"shortest_edge": 56 * 56, "longest_edge": 64 * 64}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast a model is taught."""

    seed: int = 0
    max_steps: int = 400
    long_samples: int = 16  # per step, with talk; the short ones teach the colours at half the cost
    short_samples: int = 48
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    warmup_steps: int = 20
    goal: float = 0.48
    check_every: int = 5
    held_out: int = 256
    threads: int = 1  # sums over another number of threads round differently


RECIPE: Final = Recipe()


@dataclass(frozen=True, slots=True)
class Samples:
    """N samples of one kind, all of one length, so nothing is padded."""

    token_ids: Tensor  # [N, S] prompt and response
    type_ids: Tensor  # [N, S] 1 on visual tokens
    pixels: Tensor  # [N * patches, F]
    grids: Tensor  # [N, 3]
    num_response: int  # T, <|im_end|> included


def warm_start(
    folder: Path, recipe: Recipe = RECIPE, on_progress: StepProgress | None = None
) -> float:
    """Teach the model in `folder` in place; returns its expected accuracy on held-out pictures.

    Stops when the accuracy passes the recipe's goal. Same model and recipe, same weights; the
    caller's random state and thread count are left as they were.

    Args:
        folder: a model written by `build_model`; its weights are replaced.
        recipe: how long and how fast.
        on_progress: called with (step, total) after each step; the last call has step = total.
    """
    with quiet_bars():
        teacher = Teacher(AutoProcessor.from_pretrained(folder))
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).train()
    with _threads(recipe.threads):
        accuracy = _train(model, teacher, recipe, on_progress or (lambda *_: None))
    with quiet_bars():
        model.eval().save_pretrained(folder)
    return accuracy


class Teacher:
    """Draws samples and turns them into the tensors of one model family."""

    def __init__(self, processor: Any) -> None:
        self.tokenizer = processor.tokenizer
        self.images = processor.image_processor
        self.image_token_id = int(processor.image_token_id)
        self._template = processor.apply_chat_template
        self._black = -np.divide(self.images.image_mean, self.images.image_std)

    def draw(
        self, rng: np.random.Generator, num_samples: int, *, ramble: bool, blacken: bool
    ) -> Samples:
        """`num_samples` new pictures with their answers, half of them partly black if `blacken`."""
        pictures = [draw_picture(rng) for _ in range(num_samples)]
        made = self.images(
            images=[picture.image for picture in pictures], size=PIXELS, return_tensors="pt"
        )
        grids, pixels = made["image_grid_thw"], made["pixel_values"]
        if blacken:
            pixels = self._blacken(pixels, rng, num_samples)
        prompt = self._prompt(QUESTION if ramble else SHORT_QUESTION, int(grids[0].prod()))
        responses = [
            self._response(draw_response(rng, picture.colours, ramble=ramble))
            for picture in pictures
        ]
        token_ids = torch.tensor([prompt + response for response in responses])
        type_ids = (token_ids == self.image_token_id).int()
        return Samples(token_ids, type_ids, pixels, grids, len(responses[0]))

    def _prompt(self, question: str, num_patches: int) -> list[int]:
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}
        text = self._template([turn], tokenize=False, add_generation_prompt=True)
        ids: list[int] = self.tokenizer(text).input_ids
        at = ids.index(self.image_token_id)
        visual = [self.image_token_id] * (num_patches // self.images.merge_size**2)
        return [*ids[:at], *visual, *ids[at + 1 :]]

    def _response(self, text: str) -> list[int]:
        return [*self.tokenizer(text).input_ids, self.tokenizer.eos_token_id]

    def _blacken(self, pixels: Tensor, rng: np.random.Generator, num_samples: int) -> Tensor:
        share = rng.uniform(size=num_samples) * (rng.uniform(size=num_samples) < 0.5)
        patches = len(pixels) // num_samples
        masked = torch.from_numpy(rng.uniform(size=(num_samples, patches)) < share[:, None])
        per_channel = pixels.view(len(pixels), len(self._black), -1).clone()
        black = torch.tensor(self._black, dtype=pixels.dtype)[None, :, None]
        return torch.where(masked.view(-1, 1, 1), black, per_channel).view_as(pixels)


def response_log_probs(model: Any, samples: Samples) -> Tensor:
    """Log-probabilities of the response tokens [N, T], nats."""
    count = samples.num_response
    logits = model(
        input_ids=samples.token_ids,
        mm_token_type_ids=samples.type_ids,
        pixel_values=samples.pixels,
        image_grid_thw=samples.grids,
        logits_to_keep=count + 1,
        use_cache=False,
    ).logits[:, :-1]
    wanted = samples.token_ids[:, -count:, None]
    log_probs: Tensor = logits.log_softmax(-1)
    return log_probs.gather(-1, wanted).squeeze(-1)


def expected_accuracy(model: Any, samples: Samples, answer_tokens: int) -> float:
    """Probability, at temperature 1, of the whole right answer after the given talk; mean over N.

    Needs one forward pass and no sampling, so it is exact for each talk and cheap to ask often. It
    holds for a model that talks as it was taught: reinforcement learning changes the length of the
    talk, and from then on only sampled answers tell.
    """
    with torch.no_grad():
        log_probs = response_log_probs(model, samples)
    return float(log_probs[:, -answer_tokens:].sum(-1).exp().mean())


def _train(model: Any, teacher: Teacher, recipe: Recipe, on_progress: StepProgress) -> float:
    held_out_rng, rng = stream("held_out", recipe.seed), stream("warm_start", recipe.seed)
    held_out = teacher.draw(held_out_rng, recipe.held_out, ramble=True, blacken=False)
    short = teacher.draw(held_out_rng, 1, ramble=False, blacken=False)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=recipe.betas, weight_decay=0.01
    )
    accuracy = 0.0
    for step in range(1, recipe.max_steps + 1):
        rate = recipe.learning_rate * min(1.0, step / recipe.warmup_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _teach(model, teacher, optimizer, rng, recipe)
        if step % recipe.check_every == 0 or step == recipe.max_steps:
            accuracy = expected_accuracy(model, held_out, short.num_response)
        done = accuracy >= recipe.goal
        on_progress(recipe.max_steps if done else step, recipe.max_steps)
        if done:
            break
    return accuracy


def _teach(
    model: Any,
    teacher: Teacher,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    recipe: Recipe,
) -> None:
    batches = [
        teacher.draw(rng, recipe.long_samples, ramble=True, blacken=True),
        teacher.draw(rng, recipe.short_samples, ramble=False, blacken=True),
    ]
    num_tokens = sum(batch.num_response * len(batch.token_ids) for batch in batches)
    optimizer.zero_grad(set_to_none=True)
    for batch in batches:
        loss = -response_log_probs(model, batch).sum() / num_tokens
        loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
