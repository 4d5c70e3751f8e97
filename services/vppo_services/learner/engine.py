"""One FSDP2 rank: updates, weights to publish, checkpoints."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.training import TrainingBatch
from vppo_core.errors import DivergedError
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.learner import Optimizer
from vppo_services.learner.checkpoint import CheckpointFiles
from vppo_services.learner.fsdp import enable_gradient_checkpointing, full_tensor, shard
from vppo_services.learner.metrics import MetricSums, UpdateMetrics
from vppo_services.learner.optim import create_optimizer, learning_rate
from vppo_services.learner.update import accumulate_gradients, micro_batches
from vppo_services.policy.loading import DTYPES, load_policy
from vppo_services.policy.packing import Rollout
from vppo_services.policy.pixels import PixelCache
from vppo_services.policy.policy import Policy
from vppo_services.policy.rollouts import clean_rollout
from vppo_services.policy.settings import head_settings, load_processor
from vppo_services.transport.weights import TensorEntry, WeightManifest, WeightSender


class LearnerEngine:
    """This rank's shard of weights and optimizer state; knows nothing of masks and rewards."""

    def __init__(
        self,
        job: VPPOJobSpec,
        *,
        device: str = "cpu",
        master_dtype: torch.dtype | None = None,
    ) -> None:
        """Load and shard the model; the default process group exists already.

        Args:
            master_dtype: number format of the stored weights, float32 unless the optimizer is the
                bfloat16 one; float64 lets a test compare gradients.
        """
        self._job = job
        self._device = device
        self._rank, self._world = dist.get_rank(), dist.get_world_size()
        processor = load_processor(job)
        self._pixels = PixelCache(processor, max_prompts=job.learner.prompts_per_update)
        bf16 = job.learner.optimizer is Optimizer.ADAMW_BF16_KAHAN
        stored = master_dtype or (torch.bfloat16 if bf16 else torch.float32)
        self._publish_dtype = master_dtype or DTYPES[job.model.dtype]
        model = load_policy(job.model, dtype=stored, device=device)
        if job.model.freeze_vision:
            model.model.visual.requires_grad_(False)
        self._policy = Policy(
            model,
            head_settings(job, processor),
            image_token_id=processor.image_token_id,
            pad_id=processor.pad_id,
        )
        if job.learner.gradient_checkpointing:
            enable_gradient_checkpointing(self._policy)
        mesh = init_device_mesh(device, (self._world,))
        shard(self._policy, mesh, compute_dtype=self._publish_dtype)
        self._optimizer = create_optimizer(self._policy.parameters(), job.learner)
        self._files = CheckpointFiles(self._policy, self._optimizer)
        self._updates = 0
        self._skipped_in_a_row = 0

    def update(self, batch: TrainingBatch, prompts: Sequence[PromptBatch]) -> UpdateMetrics:
        """One optimizer step on a mini-batch; every rank calls it with the same arguments.

        Raises:
            DivergedError: `learner.maxSkippedUpdates` gradients in a row were not finite.
        """
        started = time.perf_counter()
        spec = self._job.learner
        self._optimizer.zero_grad()
        sums, count = self.gradients(batch, prompts)
        norm = self._clip()
        rate = learning_rate(spec, self._updates)
        skipped = not math.isfinite(norm)
        if skipped:
            self._skipped_in_a_row += 1
            if self._skipped_in_a_row >= spec.max_skipped_updates:
                raise DivergedError(
                    f"{self._skipped_in_a_row} updates in a row had a gradient that is not finite "
                    f"(limit learner.maxSkippedUpdates={spec.max_skipped_updates}); lower "
                    "learner.learningRate or resume from an earlier checkpoint"
                )
        else:
            self._skipped_in_a_row = 0
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._optimizer.step()
        self._updates += 1
        return _metrics(
            sums.reduced(),
            grad_norm=norm,
            learning_rate=rate,
            is_skipped=skipped,
            micro_batches=count,
            rank_tokens=sums.tokens,
            seconds=time.perf_counter() - started,
        )

    def gradients(
        self, batch: TrainingBatch, prompts: Sequence[PromptBatch]
    ) -> tuple[MetricSums, int]:
        """Add the gradient of a mini-batch to the parameters; its sums and micro-batches."""

        def rollout(row: int) -> Rollout:
            owner = prompts[int(batch.prompt_index[row])]
            ids, mask = batch.response_ids[row], batch.response_mask[row]
            return clean_rollout(owner, 0, ids, mask, self._pixels)

        sums = MetricSums()
        split = micro_batches(
            batch,
            prompts,
            num_ranks=self._world,
            rank=self._rank,
            max_tokens=self._job.learner.max_tokens_per_micro_batch,
        )
        for rows in split:
            accumulate_gradients(
                self._policy,
                batch,
                rows,
                rollout,
                self._job.algorithm,
                sums,
                num_ranks=self._world,
                device=self._device,
            )
        return sums, len(split)

    def _clip(self) -> float:
        parameters = [p for p in self._policy.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self._job.learner.max_grad_norm)
        return float(full_tensor(norm))

    def manifest(self) -> WeightManifest:
        """Names, shapes and formats of what `send_weights` sends: all weights that are trained."""
        dtype = str(self._publish_dtype).removeprefix("torch.")
        return WeightManifest(
            tuple(TensorEntry(name, tuple(p.shape), dtype) for name, p in self._trained())
        )

    def send_weights(self, sender: WeightSender | None) -> None:
        """Gather every weight and broadcast it from rank 0; a collective of all ranks."""
        gathered = (full_tensor(p).to(self._publish_dtype) for _, p in self._trained())
        if sender is not None:
            sender.send(self.manifest(), gathered)
            return
        for _ in gathered:
            pass

    def full_weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """All weights, gathered, as float of the published format; a collective of all ranks."""
        for name, parameter in self._policy.model.named_parameters():
            yield name, full_tensor(parameter).to(self._publish_dtype).cpu()

    def start_save(self, folder: str) -> None:
        """Copy the state and write it in the background; a collective of all ranks."""
        self._files.start_save(folder, self._counters())

    def is_saved(self) -> bool:
        """Whether no write is on its way any more."""
        return self._files.is_saved()

    def finish_save(self) -> None:
        """Wait for the write that `start_save` began; raises what went wrong with it."""
        self._files.finish_save()

    def restore(self, folder: str) -> None:
        """Weights, optimizer state and counters of a checkpoint; a collective of all ranks."""
        counters = self._files.restore(folder, self._counters())
        self._updates = int(counters["updates"])
        self._skipped_in_a_row = int(counters["skipped_in_a_row"])

    def export(self, folder: Path) -> None:
        """Write a Hugging Face folder with weights, configuration and processor; a collective."""
        weights: dict[str, Any] = dict(self.full_weights())
        if self._rank == 0:
            self._policy.model.save_pretrained(folder, state_dict=weights)
            self._pixels.processor.save(folder)

    def _trained(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        parameters = self._policy.model.named_parameters()
        return ((name, p) for name, p in parameters if p.requires_grad)

    def _counters(self) -> dict[str, int]:
        return {"updates": self._updates, "skipped_in_a_row": self._skipped_in_a_row}


def _metrics(sums: dict[str, float], **rest: Any) -> UpdateMetrics:
    tokens = max(sums["tokens"], 1.0)
    return UpdateMetrics(
        policy_loss=sums["policy_loss"],
        penalty=sums["penalty"],
        reference_kl=sums["reference_kl"],
        clip_share=sums["clipped_tokens"] / max(sums["weighted_tokens"], 1.0),
        ratio_mean=sums["ratio"] / tokens,
        approx_kl=sums["approx_kl"] / tokens,
        nll_mean=sums["nll"] / tokens,
        entropy_mean=sums["entropy"] / tokens,
        **rest,
    )
