"""Rollouts by plain transformers, where vLLM cannot run; slower, and a second opinion in tests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError
from vppo_core.spec.model import ModelSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.rollout.inputs import check_grids, open_images
from vppo_services.rollout.prefill import prefill, stack_prompts
from vppo_services.rollout.sampling import Rollout, SamplingSettings, build_group, sample_seed
from vppo_services.rollout.token_draw import draw, next_token_log_probs
from vppo_services.rollout.weights import WeightNames


@dataclass(frozen=True, slots=True)
class _Place:
    """One rollout to make: a prompt at its position, and the place in its group."""

    index: int
    prompt: PromptBatch
    sample: int


class TransformersEngine:
    """A `RolloutEngine` with a sampling loop of its own, in batches of fixed membership.

    Nothing is kept from one batch to the next, so new weights leave nothing stale behind.
    """

    def __init__(
        self,
        model: ModelSpec,
        rollout: RolloutSpec,
        processor: PromptProcessor,
        *,
        device: str = "cpu",
    ) -> None:
        """Load the model onto `device`."""
        self._processor = processor
        self._max_rows = rollout.max_concurrent_sequences
        self._device = device
        self._version = 0
        self._names = WeightNames(model)
        self._is_busy = False
        self._model: Any = (
            AutoModelForImageTextToText.from_pretrained(
                model.source,
                revision=model.revision or None,
                dtype=getattr(torch, model.dtype.value),
                attn_implementation=model.attention.value,
            )
            .to(device)
            .eval()
            .requires_grad_(False)
        )

    @property
    def policy_version(self) -> int:
        """Version of the weights that answer; 0 is the loaded checkpoint."""
        return self._version

    def generate(
        self, prompts: Iterable[PromptBatch], settings: SamplingSettings
    ) -> Iterator[tuple[int, TrajectoryBatch]]:
        """See `RolloutEngine.generate`."""
        self._check_idle()
        self._is_busy = True
        finished: dict[int, dict[int, Rollout]] = {}
        places = (
            _Place(index, prompt, sample)
            for index, prompt in enumerate(prompts)
            for sample in range(settings.group_size)
        )
        try:
            while batch := list(islice(places, self._max_rows)):
                for place, rollout in self._run(batch, settings):
                    group = finished.setdefault(place.index, {})
                    group[place.sample] = rollout
                    if len(group) == settings.group_size:
                        yield place.index, self._group(finished.pop(place.index))
        finally:
            self._is_busy = False

    def load_weights(self, tensors: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """See `RolloutEngine.load_weights`."""
        self._check_idle()
        parameters = dict(self._model.named_parameters())
        names: set[str] = set()
        for name, tensor in tensors:
            if name not in parameters or parameters[name].shape != tensor.shape:
                raise ConsistencyError(
                    f"the rollout model has no tensor '{name}' of shape {tuple(tensor.shape)}; all "
                    "roles must load one model.source"
                )
            parameters[name].copy_(tensor)
            names.add(name)
        self._names.check(names, version)
        self._version = version

    def cache_info(self) -> dict[str, float]:
        """Empty: nothing is kept between batches."""
        return {}

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def _check_idle(self) -> None:
        if self._is_busy:
            raise ConsistencyError(
                "an engine does one thing at a time and has rollouts on their way; read `generate` "
                "to its end, or close it, before the next call"
            )

    def _group(self, rollouts: dict[int, Rollout]) -> TrajectoryBatch:
        return build_group(
            [rollouts[sample] for sample in sorted(rollouts)],
            policy_version=self._version,
            banned_ids=self._processor.banned_ids,
        )

    @torch.no_grad()
    def _run(
        self, places: Sequence[_Place], settings: SamplingSettings
    ) -> Iterator[tuple[_Place, Rollout]]:
        """Every rollout of a batch, as soon as its last token is drawn."""
        rows = [_Row(place, settings) for place in places]
        state, logits = self._prefill(places)
        for _ in range(settings.max_tokens):
            log_probs = next_token_log_probs(logits, settings, self._processor.banned_ids)
            generators = [row.generator for row in rows]
            tokens = draw(log_probs, generators, greedy=settings.is_greedy)
            sampled = log_probs.gather(1, tokens[:, None])[:, 0]
            pairs = zip(tokens.tolist(), sampled.tolist(), strict=True)
            for row, (token, log_prob) in zip(rows, pairs, strict=True):
                if row.take(token, log_prob, settings.max_tokens, self._processor.eos_ids):
                    yield row.place, self._rollout(row)
            if all(row.is_done for row in rows):
                return
            logits = state.step(tokens)

    def _prefill(self, places: Sequence[_Place]) -> tuple[Any, torch.Tensor]:
        """Each prompt once through the model, then as many copies of its state as it has rows."""
        prompts = {place.index: place.prompt for place in places}
        order = {index: row for row, index in enumerate(prompts)}
        pixels = [self._pixels(prompt) for prompt in prompts.values()]
        batch = stack_prompts(
            list(prompts.values()),
            torch.cat(pixels),
            pad_id=self._processor.pad_id,
            image_token_id=self._processor.image_token_id,
        )
        rows = torch.tensor([order[place.index] for place in places])
        return prefill(self._model, batch.to(self._device), rows.to(self._device))

    def _pixels(self, prompt: PromptBatch) -> torch.Tensor:
        pixels, grids = self._processor.pixels(open_images(prompt, self._processor))
        check_grids(prompt, grids)
        return torch.from_numpy(pixels)

    def _rollout(self, row: "_Row") -> Rollout:
        return Rollout(
            ids=row.ids,
            log_probs=row.log_probs,
            is_finished=row.ids[-1] in self._processor.eos_ids,
            text=self._processor.decode(row.ids),
        )


class _Row:
    """A rollout on its way."""

    def __init__(self, place: _Place, settings: SamplingSettings) -> None:
        uid, visit = place.prompt.uids[0], int(place.prompt.visits[0])
        seed = sample_seed(settings.run_seed, uid, visit, place.sample)
        self.place = place
        # On the CPU always, so that a GPU draws the same tokens.
        self.generator = torch.Generator().manual_seed(seed)
        self.ids: list[int] = []
        self.log_probs: list[float] = []
        self.is_done = False

    def take(self, token: int, log_prob: float, max_tokens: int, eos_ids: Sequence[int]) -> bool:
        """Add a token, unless the row is done already; whether this was its last."""
        if self.is_done:
            return False
        self.ids.append(token)
        self.log_probs.append(log_prob)
        self.is_done = token in eos_ids or len(self.ids) == max_tokens
        return self.is_done
