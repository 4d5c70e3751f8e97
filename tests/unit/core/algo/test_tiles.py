"""Nothing of the size tokens x vocabulary is ever allocated; shapes are checked."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from vppo_core.algo.dependency import jsd, kl_full, score_views
from vppo_core.algo.log_probs import chunked_log_probs, chunked_log_probs_and_entropy

TOKENS, VOCABULARY, WIDTH = 64, 96, 2
TILES = {"chunk_tokens": 8, "chunk_vocabulary": 12}


class LargestOutput(TorchDispatchMode):
    """Elements of the largest tensor that any operation made."""

    largest = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for made in out if isinstance(out, tuple | list) else [out]:
            if isinstance(made, Tensor):
                self.largest = max(self.largest, made.numel())
        return out


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden, perturbed = torch.randn(2, TOKENS, WIDTH, generator=generator)
    weight = torch.randn(VOCABULARY, WIDTH, generator=generator)
    return hidden, perturbed, weight, torch.randint(VOCABULARY, (TOKENS,), generator=generator)


@pytest.mark.parametrize("estimator", ["kl_full", "kl_sampled", "jsd", "top1_drop"])
def test_scoring_never_holds_more_than_the_head_or_a_tile(estimator: str) -> None:
    hidden, perturbed, weight, token_ids = inputs()
    with LargestOutput() as seen:
        score_views(hidden, perturbed, weight, token_ids, estimator=estimator, **TILES)
        kl_full(hidden, perturbed, weight, **TILES)
        jsd(hidden, perturbed, weight, **TILES)
    assert seen.largest <= VOCABULARY * WIDTH


def test_training_never_holds_more_than_the_head_or_a_tile() -> None:
    hidden, _, weight, token_ids = inputs()
    hidden.requires_grad_()
    weight.requires_grad_()
    with LargestOutput() as seen:
        log_probs, entropy = chunked_log_probs_and_entropy(hidden, weight, token_ids, **TILES)
        (log_probs.sum() + entropy.sum()).backward()
    assert hidden.grad is not None
    assert seen.largest <= VOCABULARY * WIDTH


def test_shapes_that_disagree_are_refused_in_tests() -> None:
    hidden, _, weight, token_ids = inputs()
    with pytest.raises(Exception, match="axis"):
        chunked_log_probs(hidden, weight, token_ids[:-1], **TILES)
