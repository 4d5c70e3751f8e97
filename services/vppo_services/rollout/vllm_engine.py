"""Rollouts by vLLM, in this process, on CPUs and GPUs alike."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import torch
from transformers import AutoConfig

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError
from vppo_core.spec.model import ModelSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.rollout.inputs import check_grids, check_ids, open_images
from vppo_services.rollout.sampling import (
    BAN_BIAS,
    Rollout,
    SamplingSettings,
    build_group,
    sample_seed,
)
from vppo_services.rollout.vllm_reload import (
    CACHE_RESETS,
    RENEWAL,
    RenewalStep,
    reload_weights,
)
from vppo_services.rollout.weights import WeightNames

_ENVIRONMENT: Final = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine in this process: weights need no pickling
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # Ray places processes; vLLM would bind all to one core
    "VLLM_NO_USAGE_STATS": "1",
}
_DEFAULTS: Final = {"VLLM_LOGGING_LEVEL": "WARNING"}


class VLLMEngine:
    """A `RolloutEngine` on vLLM's own request loop: a group leaves when its last rollout ends.

    Images are processed once per group. Prefix caching is on, so the group also shares its prompt's
    keys and values; the cache of processed images is off, because within a step no image comes twice.
    """

    def __init__(
        self,
        model: ModelSpec,
        rollout: RolloutSpec,
        processor: PromptProcessor,
        seed: int,
        *,
        max_prompt_tokens: int,
        renewal: Sequence[RenewalStep] = RENEWAL,
    ) -> None:
        """Start vLLM and load the model.

        Args:
            renewal: what follows a change of weights; tests leave steps out.
        """
        os.environ.update(_DEFAULTS | os.environ)
        os.environ.update(_ENVIRONMENT, VLLM_CPU_KVCACHE_SPACE=str(rollout.cpu_kv_cache_gib))
        self._processor = processor
        self._renewal = tuple(renewal)
        self._max_in_flight = rollout.max_concurrent_sequences
        self._version = 0
        self._names = WeightNames(model)
        self._llm = _start(model, rollout, processor, seed, max_prompt_tokens)
        self._llm.llm_engine.set_weight_version("0")

    @property
    def policy_version(self) -> int:
        """Version of the weights that answer; 0 is the loaded checkpoint."""
        return self._version

    def generate(
        self, prompts: Iterable[PromptBatch], settings: SamplingSettings
    ) -> Iterator[tuple[int, TrajectoryBatch]]:
        """See `RolloutEngine.generate`."""
        engine = self._llm.llm_engine
        self._forget_earlier_prompts()
        waiting = enumerate(prompts)
        finished: dict[int, dict[int, Rollout]] = {}
        is_open = True
        try:
            while is_open or finished:
                while is_open and engine.get_num_unfinished_requests() < self._max_in_flight:
                    entry = next(waiting, None)
                    is_open = entry is not None
                    if entry is not None:
                        finished[entry[0]] = {}
                        self._add_group(*entry, settings)
                for output in self._step() if finished else ():
                    index, sample = map(int, output.request_id.split("/"))
                    finished[index][sample] = self._rollout(output)
                    if len(finished[index]) == settings.group_size:
                        yield index, self._group(finished.pop(index))
        finally:
            self._abort(finished, settings.group_size)

    def load_weights(self, tensors: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """See `RolloutEngine.load_weights`."""
        self._check_idle()
        names = reload_weights(self._llm, tensors)
        self._names.check(names, version)
        for step in self._renewal:
            step(self._llm)
        self._llm.llm_engine.set_weight_version(str(version))
        self._version = version

    def cache_info(self) -> dict[str, float]:
        """Tokens of keys and values that fit, and images whose encoding is kept."""
        config = self._llm.llm_engine.vllm_config.cache_config
        blocks = config.num_gpu_blocks or 0
        scheduler = self._llm.llm_engine.engine_core.engine_core.scheduler
        return {
            "kv_cache_tokens": float(blocks * config.block_size),
            "kv_cache_usage": float(scheduler.kv_cache_manager.usage),
            "encoded_images": float(len(scheduler.encoder_cache_manager.cached)),
        }

    def close(self) -> None:
        """Shut vLLM down."""
        self._llm.llm_engine.engine_core.shutdown()

    def _check_idle(self) -> None:
        if self._llm.llm_engine.has_unfinished_requests():
            raise ConsistencyError(
                "an engine does one thing at a time and has rollouts on their way; read `generate` "
                "to its end, or close it, before the next call"
            )

    def _forget_earlier_prompts(self) -> None:
        """Make a call's result independent of the calls before it.

        Cached and computed values differ in their last bits, so a resumed run, which has cached
        nothing, would soon sample other tokens than the run that it continues.
        """
        self._check_idle()
        for step in self._renewal:
            if step in CACHE_RESETS:
                step(self._llm)

    def _add_group(self, index: int, prompt: PromptBatch, settings: SamplingSettings) -> None:
        inputs = self._inputs(prompt)
        for sample in range(settings.group_size):
            seed = sample_seed(settings.run_seed, prompt.uids[0], int(prompt.visits[0]), sample)
            # A copy each: vLLM may write into what it is given.
            self._llm.llm_engine.add_request(
                f"{index}/{sample}", dict(inputs), _sampling_params(settings, self._processor, seed)
            )

    def _inputs(self, prompt: PromptBatch) -> Any:
        """The prompt as vLLM's processor expands it; equal to the prompt, or an error."""
        images = open_images(prompt, self._processor)
        request: dict[str, Any] = {
            "prompt_token_ids": self._processor.collapse(prompt.ids(0).tolist())
        }
        if images:
            request["multi_modal_data"] = {"image": images}
        [inputs] = self._llm.llm_engine.renderer.render_cmpl([request])
        check_ids(prompt, inputs["prompt_token_ids"])
        if images:
            items = inputs["mm_kwargs"]["image"]
            grids = torch.stack([item["image_grid_thw"].data for item in items])
            check_grids(prompt, grids.numpy())
        return inputs

    def _step(self) -> list[Any]:
        with _eager_on_cpu():
            outputs = self._llm.llm_engine.step()
        return [output for output in outputs if output.finished]

    def _rollout(self, output: Any) -> Rollout:
        [answer] = output.outputs
        versions = {span.version for span in answer.weight_versions or ()}
        if versions != {str(self._version)}:
            raise ConsistencyError(
                f"a rollout must come from policy version {self._version}, got {sorted(versions)}"
            )
        ids = list(answer.token_ids)
        assert answer.logprobs.token_ids == ids, "one log-prob per token, the sampled one"
        return Rollout(
            ids=ids,
            log_probs=answer.logprobs.logprobs,
            is_finished=answer.finish_reason == "stop",
            text=self._processor.decode(ids),
        )

    def _group(self, rollouts: dict[int, Rollout]) -> TrajectoryBatch:
        return build_group(
            [rollouts[sample] for sample in sorted(rollouts)],
            policy_version=self._version,
            banned_ids=self._processor.banned_ids,
        )

    def _abort(self, unfinished: Iterable[int], group_size: int) -> None:
        """Drop what a caller no longer waits for."""
        ids = [f"{index}/{sample}" for index in unfinished for sample in range(group_size)]
        if ids:
            self._llm.llm_engine.abort_request(ids)


def _start(
    model: ModelSpec,
    rollout: RolloutSpec,
    processor: PromptProcessor,
    seed: int,
    max_prompt_tokens: int,
) -> Any:
    from vllm import LLM
    from vllm.platforms import current_platform

    is_cpu = current_platform.is_cpu()
    context = _context_length(model, max_prompt_tokens + rollout.max_response_tokens)
    batched = max(rollout.max_batched_tokens, rollout.max_concurrent_sequences)
    set_num_threads = torch.set_num_threads
    with _eager_on_cpu():
        llm = LLM(
            model.source,
            revision=model.revision or None,
            tokenizer_revision=model.revision or None,
            dtype=model.dtype.value,
            seed=seed,
            max_model_len=context,
            max_num_seqs=rollout.max_concurrent_sequences,
            # After half a prompt vLLM rewinds the rollout's generator, which a CPU's cannot do: there
            # prompts are taken whole.
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
            # A checkpoint's own sampling defaults (a repetition penalty, say) would enter every rollout.
            generation_config="vllm",
            disable_log_stats=True,
        )
    # vLLM replaces it by a function that only warns; with `nobind` there is no binding to protect.
    torch.set_num_threads = set_num_threads
    return llm


def _context_length(model: ModelSpec, wanted: int) -> int:
    config = AutoConfig.from_pretrained(model.source, revision=model.revision or None)
    return min(wanted, int(config.get_text_config().max_position_embeddings))


def _sampling_params(settings: SamplingSettings, processor: PromptProcessor, seed: int) -> Any:
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


def _eager_on_cpu() -> AbstractContextManager[Any]:
    """vLLM compiles small functions of its sampler; on a CPU that needs a C++ compiler and 10 s."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        return torch.compiler.set_stance("force_eager")
    return nullcontext()
