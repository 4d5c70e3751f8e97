"""Which tensors an update of the weights has to bring."""

import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from vppo_core.errors import ConsistencyError
from vppo_core.spec.model import ModelSpec

_VISION = "model.visual."


class WeightNames:
    """Names of all trained tensors of a model, found without its weights."""

    def __init__(self, model: ModelSpec) -> None:
        config = AutoConfig.from_pretrained(model.source, revision=model.revision or None)
        with torch.device("meta"):
            empty = AutoModelForImageTextToText.from_config(config)
        # A tied head is the embedding's parameter and has no name of its own.
        self._needed = {
            name
            for name, _ in empty.named_parameters()
            if not (model.freeze_vision and name.startswith(_VISION))
        }

    def check(self, names: set[str], version: int) -> None:
        """Refuse an update that leaves trained tensors at their old values.

        Raises:
            ConsistencyError: `names` lacks some.
        """
        missing = sorted(self._needed - names)
        if missing:
            raise ConsistencyError(
                f"an update must bring every trained tensor, version {version} lacks "
                f"{len(missing)} of {len(self._needed)}, first {missing[0]}; learner and rollout "
                "must agree on model.source and model.freezeVision"
            )
