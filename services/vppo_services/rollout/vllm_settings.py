"""How vLLM is started and asked, so that its numbers mean what the learner's mean."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import torch
from transformers import AutoConfig

from vppo_core.spec.model import ModelSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.rollout.sampling import BAN_BIAS, SamplingSettings
from vppo_services.rollout.vllm_metrics import Flush, can_measure, measure

_ENVIRONMENT: Final = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine in this process: weights need no pickling
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # Ray places processes; vLLM would bind all to one core
    "VLLM_NO_USAGE_STATS": "1",
}
_DEFAULTS: Final = {"VLLM_LOGGING_LEVEL": "WARNING"}


def start_vllm(
    model: ModelSpec,
    rollout: RolloutSpec,
    processor: PromptProcessor,
    seed: int,
    max_prompt_tokens: int,
) -> tuple[Any, Flush]:
    """A `vllm.LLM` in this process, with the model loaded and all that it would compile left out.

    With it comes what tells its last measurements, to be called whenever it becomes idle.

    Args:
        seed: vLLM's own; it also seeds the random numbers of this process.
        max_prompt_tokens: longest prompt, visual tokens included.
    """
    # Read when vLLM is imported, so nothing may import it before.
    os.environ.update(_DEFAULTS | os.environ)
    os.environ.update(_ENVIRONMENT, VLLM_CPU_KVCACHE_SPACE=str(rollout.cpu_kv_cache_gib))
    from vllm import LLM
    from vllm.platforms import current_platform

    is_cpu, is_measured = current_platform.is_cpu(), can_measure()
    context = _context_length(model, max_prompt_tokens + rollout.max_response_tokens)
    batched = max(rollout.max_batched_tokens, rollout.max_concurrent_sequences)
    set_num_threads = torch.set_num_threads
    with eager_on_cpu():
        llm = LLM(
            model.source,
            revision=model.revision or None,
            tokenizer_revision=model.revision or None,
            dtype=model.dtype.value,
            seed=seed,
            max_model_len=context,
            max_num_seqs=rollout.max_concurrent_sequences,
            # After half a prompt vLLM rewinds the rollout's generator, which a CPU's cannot do:
            # there prompts are taken whole.
            enable_chunked_prefill=not is_cpu,
            max_num_batched_tokens=max(batched, context) if is_cpu else batched,
            # There are no graphs to capture on a CPU, and compiling takes longer than it saves.
            enforce_eager=rollout.enforce_eager or is_cpu,
            gpu_memory_utilization=rollout.gpu_memory_utilization,
            tensor_parallel_size=rollout.tensor_parallel_size,
            enable_prefix_caching=True,
            mm_processor_cache_gb=0,
            mm_processor_kwargs={"size": processor.image_size},
            limit_mm_per_prompt={"video": 0},
            logprobs_mode="processed_logprobs",
            # Or a checkpoint's own sampling defaults, a repetition penalty say, would count.
            generation_config="vllm",
            disable_log_stats=not is_measured,
        )
    flush = measure(llm) if is_measured else lambda: None
    # vLLM replaces it by a function that only warns; with `nobind` there is no binding to protect.
    torch.set_num_threads = set_num_threads
    return llm, flush


def _context_length(model: ModelSpec, wanted: int) -> int:
    config = AutoConfig.from_pretrained(model.source, revision=model.revision or None)
    return min(wanted, int(config.get_text_config().max_position_embeddings))


def sampling_params(settings: SamplingSettings, processor: PromptProcessor, seed: int) -> Any:
    """`vllm.SamplingParams` of one rollout."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        seed=seed,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        max_tokens=settings.max_tokens,
        logit_bias=dict.fromkeys(processor.banned_ids, BAN_BIAS),
        # Ends are ours alone: the processor knows them, vLLM's own list may differ.
        ignore_eos=True,
        stop_token_ids=list(processor.eos_ids),
        logprobs=0,  # of the sampled token and no other
        flat_logprobs=True,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def eager_on_cpu() -> AbstractContextManager[Any]:
    """vLLM compiles small functions of its sampler; on a CPU that needs a C++ compiler and 10 s."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
        return stance
    return nullcontext()
