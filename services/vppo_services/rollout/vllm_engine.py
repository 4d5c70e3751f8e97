"""Rollouts by vLLM, in this process, on CPUs and GPUs alike."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError
from vppo_core.spec.model import ModelSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.rollout.inputs import check_grids, check_ids, open_images
from vppo_services.rollout.sampling import (
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
from vppo_services.rollout.vllm_settings import eager_on_cpu, sampling_params, start_vllm
from vppo_services.rollout.weights import WeightNames


class VLLMEngine:
    """A `RolloutEngine` on vLLM's own request loop: a group leaves when its last rollout ends.

    Images are processed once per group. Prefix caching is on, so the group also shares its prompt's
    keys and values; the cache of processed images is off: within a step no image comes twice.
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
            renewal: what follows a change of weights; an attribute, so that tests can show what
                goes wrong without a step.
        """
        self._processor = processor
        self.renewal = tuple(renewal)
        self._max_in_flight = rollout.max_concurrent_sequences
        self._version = 0
        self._is_busy = False
        self._names = WeightNames(model)
        self._llm, self._tell = start_vllm(model, rollout, processor, seed, max_prompt_tokens)
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
        self._check_idle()
        self._is_busy = True
        waiting = enumerate(prompts)
        finished: dict[int, dict[int, Rollout]] = {}
        is_open = True
        try:
            self._forget_earlier_prompts()
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
            self._is_busy = False
            self._tell()

    def load_weights(self, tensors: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """See `RolloutEngine.load_weights`."""
        self._check_idle()
        names = reload_weights(self._llm, tensors)
        self._names.check(names, version)
        for step in self.renewal:
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
        # Not vLLM's own count: a finished group that nobody has taken yet is on its way too.
        if self._is_busy:
            raise ConsistencyError(
                "an engine does one thing at a time and has rollouts on their way; read `generate` "
                "to its end, or close it, before the next call"
            )

    def _forget_earlier_prompts(self) -> None:
        """Make a call's result independent of the calls before it.

        Cached and computed values differ in their last bits, so a resumed run, which has cached
        nothing, would soon sample other tokens than the run that it continues.
        """
        for step in self.renewal:
            if step in CACHE_RESETS:
                step(self._llm)

    def _add_group(self, index: int, prompt: PromptBatch, settings: SamplingSettings) -> None:
        inputs = self._inputs(prompt)
        for sample in range(settings.group_size):
            seed = sample_seed(settings.run_seed, prompt.uids[0], int(prompt.visits[0]), sample)
            # A copy each: vLLM may write into what it is given.
            self._llm.llm_engine.add_request(
                f"{index}/{sample}", dict(inputs), sampling_params(settings, self._processor, seed)
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
        with eager_on_cpu():
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
