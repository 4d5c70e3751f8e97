"""Scores a group: clean and perturbed forward in one visit, with the learner's numerics."""

from collections.abc import Iterable

import numpy as np
import torch

from vppo_core.algo.dependency import score_views
from vppo_core.algo.log_probs import chunked_log_probs
from vppo_core.batch.axes import BoolArray, FloatArray
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError
from vppo_core.spec.dependency import DependencySpec
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.dependency.views import MaskedView
from vppo_services.policy.loading import DTYPES, load_policy
from vppo_services.policy.packing import Rollout
from vppo_services.policy.pixels import PixelCache
from vppo_services.policy.policy import Policy
from vppo_services.policy.rollouts import rollout_of
from vppo_services.policy.settings import head_settings, load_processor

Scores = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class DependencyEngine:
    """A forward-only replica of the policy that answers how much each token leans on the image."""

    def __init__(self, job: VPPOJobSpec, *, device: str = "cpu") -> None:
        processor = load_processor(job)
        self._spec: DependencySpec = job.dependency
        self._device = device
        self._pixels = PixelCache(processor)
        self._view = MaskedView(job.dependency, processor, run_seed=job.seed)
        self._policy = self._load(job)
        self._reference = self._load(job) if job.algorithm.reference_kl_coef > 0 else None
        self._parameters = dict(self._policy.model.named_parameters())
        self.policy_version = 0

    def _load(self, job: VPPOJobSpec) -> Policy:
        processor = self._pixels.processor
        model = load_policy(job.model, dtype=DTYPES[job.model.dtype], device=self._device)
        return Policy(
            model.requires_grad_(False),
            head_settings(job, processor),
            image_token_id=processor.image_token_id,
            pad_id=processor.pad_id,
        )

    @torch.no_grad()
    def load_weights(self, tensors: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """Replace weights in place; scores carry `version` from now on."""
        for name, tensor in tensors:
            if name not in self._parameters:
                raise ConsistencyError(
                    f"the learner sent '{name}', which this model does not have; "
                    "all roles must load one model revision"
                )
            self._parameters[name].copy_(tensor)
        self.policy_version = version

    @torch.inference_mode()
    def score(self, prompts: PromptBatch, trajectories: TrajectoryBatch) -> DependencyBatch:
        """Log-probs and token dependency of every rollout, in nats.

        The clean log-probs are `old_log_probs`. A rollout whose pixels did not change (text only,
        or nothing masked) says so in `is_perturbed` and has dependency 0.

        Raises:
            ConsistencyError: the rollouts were sampled by other weights than this replica holds.
        """
        if trajectories.policy_version != self.policy_version:
            raise ConsistencyError(
                f"rollouts of policy version {trajectories.policy_version} reached a dependency "
                f"replica at version {self.policy_version}; every publish must reach every replica"
            )
        clean, perturbed, changed = self._views(prompts, trajectories)
        old, dependency, reference = [], [], []
        for rows in self._passes(clean):
            log_probs, nats, ref = self._score_rows(rows, clean, perturbed, changed)
            old.append(log_probs)
            dependency.append(nats)
            reference.append(ref)
        mask = trajectories.response_mask
        return DependencyBatch(
            old_log_probs=_scatter(old, mask),
            token_dependency=_scatter(dependency, mask),
            ref_log_probs=_scatter(reference, mask),
            is_perturbed=changed,
            policy_version=self.policy_version,
        )

    def _views(
        self, prompts: PromptBatch, trajectories: TrajectoryBatch
    ) -> tuple[list[Rollout], list[Rollout], BoolArray]:
        clean, perturbed = [], []
        changed = np.zeros(len(trajectories), dtype=np.bool_)
        for row in range(len(trajectories)):
            prompt, sample = (
                int(trajectories.prompt_index[row]),
                int(trajectories.sample_index[row]),
            )
            pixels = self._pixels.of(prompts, prompt)
            clean.append(_rollout(prompts, trajectories, row, pixels))
            if self._spec.enabled and pixels:
                masked, changed[row] = self._view.pixels(prompts, prompt, sample, pixels)
                perturbed.append(_rollout(prompts, trajectories, row, masked))
            else:
                perturbed.append(clean[-1])
        return clean, perturbed, changed

    def _passes(self, rollouts: list[Rollout]) -> list[list[int]]:
        passes: list[list[int]] = []
        room = 0
        for row, rollout in enumerate(rollouts):
            if not passes or len(rollout) > room:
                passes.append([])
                room = self._spec.max_tokens_per_pass
            passes[-1].append(row)
            room -= len(rollout)
        return passes

    def _score_rows(
        self, rows: list[int], clean: list[Rollout], perturbed: list[Rollout], changed: BoolArray
    ) -> Scores:
        policy = self._policy
        settings = policy.head.arguments(torch.device(self._device))
        packed = policy.pack([clean[row] for row in rows], self._device)
        hidden = policy.hidden_states(packed)
        if changed[rows].any():
            masked = policy.pack([perturbed[row] for row in rows], self._device)
            log_probs, nats = score_views(
                hidden,
                policy.hidden_states(masked),
                policy.head_weight,
                packed.response_tokens,
                estimator=self._spec.estimator.value,
                max_nats=self._spec.max_nats,
                **settings,
            )
        else:
            log_probs = chunked_log_probs(
                hidden, policy.head_weight, packed.response_tokens, **settings
            )
            nats = torch.zeros_like(log_probs)
        if self._reference is None:
            return log_probs, nats, log_probs
        states = self._reference.hidden_states(packed)
        head = self._reference.head_weight
        return log_probs, nats, chunked_log_probs(states, head, packed.response_tokens, **settings)


def _rollout(
    prompts: PromptBatch, trajectories: TrajectoryBatch, row: int, pixels: list[FloatArray]
) -> Rollout:
    return rollout_of(
        prompts,
        int(trajectories.prompt_index[row]),
        trajectories.response_ids[row],
        trajectories.response_mask[row],
        pixels,
    )


def _scatter(parts: list[torch.Tensor], mask: BoolArray) -> FloatArray:
    out = np.zeros(mask.shape, dtype=np.float32)
    if parts:
        out[mask] = torch.cat(parts).float().cpu().numpy()
    return out
