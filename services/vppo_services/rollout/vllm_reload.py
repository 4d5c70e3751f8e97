"""New weights in a running vLLM, in place, with nothing left that was made from the old ones."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from vppo_core.errors import ConsistencyError

RenewalStep = Callable[[Any], None]
"""Takes the `vllm.LLM` and rids it of something that was computed from old weights."""

_RELOAD_LOGGER: Final = "vllm.model_executor.model_loader.reload.layerwise"


def reload_weights(llm: Any, tensors: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
    """Copy tensors into the model by vLLM's own path; the names that were given.

    The copy is in place, so captured CUDA graphs stay valid. With one worker the tensors are taken
    one by one as they arrive; more workers each get the whole list through shared memory.

    Raises:
        ConsistencyError: the model has no such tensor, or one of another shape.
    """
    names: set[str] = set()
    dtype = llm.llm_engine.model_config.dtype

    def recorded() -> Iterator[tuple[str, torch.Tensor]]:
        for name, tensor in tensors:
            names.add(name)
            yield name, tensor.to(dtype)

    is_single = llm.llm_engine.vllm_config.parallel_config.world_size == 1
    source: Any = recorded() if is_single else [(name, t.cpu()) for name, t in recorded()]
    try:
        with _without_warnings():
            llm.collective_rpc("reload_weights", kwargs={"weights_iterator": source})
    except (ValueError, AssertionError, KeyError, RuntimeError) as error:
        raise ConsistencyError(
            f"vLLM does not take the learner's weights: {type(error).__name__}: {error}; all roles "
            "must load one model.source"
        ) from error
    return names


def dispatch_head(llm: Any) -> None:
    """Pack the output head again where vLLM computes it from a packed copy (CPUs).

    A reload packs the layers that it loads. A head tied to the embedding is not among them: its
    weight is the embedding's and new, its packed copy is not, and would answer for ever.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        llm.apply_model(_dispatch_heads)


def reset_prefix_cache(llm: Any) -> None:
    """Forget keys and values of earlier prompts.

    Raises:
        ConsistencyError: vLLM still holds blocks of a request.
    """
    if not llm.reset_prefix_cache():
        raise ConsistencyError(
            "vLLM must forget its prefix cache with every update of the weights and did not; "
            "no answer may be on its way during an update"
        )


def reset_mm_cache(llm: Any) -> None:
    """Forget processed images. They do not depend on weights; vLLM's own resets come in threes."""
    llm.llm_engine.reset_mm_cache()


def reset_encoder_cache(llm: Any) -> None:
    """Forget outputs of the vision tower, which are kept by image alone, whatever the weights."""
    llm.llm_engine.reset_encoder_cache()


CACHE_RESETS: Final[tuple[RenewalStep, ...]] = (
    reset_prefix_cache,
    reset_mm_cache,
    reset_encoder_cache,
)
"""All that vLLM remembers of earlier prompts."""

RENEWAL: Final[tuple[RenewalStep, ...]] = (dispatch_head, *CACHE_RESETS)
"""What has to follow a reload: without any one of them old weights go on answering, in part."""


def _dispatch_heads(model: torch.nn.Module) -> None:
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

    for module in model.modules():
        if isinstance(module, ParallelLMHead):
            module.quant_method.process_weights_after_loading(module)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence vLLM's list of layers that nothing was loaded into.

    It names a tied head and layers without weights every time; what is really missing is found by
    `WeightNames`.
    """
    logger = logging.getLogger(_RELOAD_LOGGER)
    logger.addFilter(_is_not_about_unloaded)
    try:
        yield
    finally:
        logger.removeFilter(_is_not_about_unloaded)


def _is_not_about_unloaded(record: logging.LogRecord) -> bool:
    return "Failed to load weights" not in record.getMessage()
