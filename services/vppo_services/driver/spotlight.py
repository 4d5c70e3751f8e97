"""`spotlight/step-000010.json`: answers of a step as the method sees them, for the page."""

import base64
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from vppo_core.runs.writing import write_atomically
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.driver.assemble import Assembled
from vppo_services.driver.groups import GroupArrays
from vppo_services.driver.samples import answer_samples
from vppo_services.observability.report import AnswerSample

MAX_SAMPLES: Final = 16
MAX_SIDE: Final = 384  # pixels


class Spotlight:
    """Writes the sampled answers of some steps into a run's folder."""

    def __init__(
        self, folder: Path, job: VPPOJobSpec, processor: PromptProcessor, *, attempt: int
    ) -> None:
        self._folder = folder / "spotlight"
        self._job = job
        self.processor = processor
        self._attempt = attempt

    def samples(
        self,
        step: int,
        groups: Sequence[GroupArrays],
        batches: Sequence[Assembled],
        *,
        count: int = 8,
        max_side: int = 0,
    ) -> list[AnswerSample]:
        """Answers of a step, right and wrong ones mixed; see `answer_samples`."""
        return answer_samples(
            self._job, self.processor, groups, batches, step=step, count=count, max_side=max_side
        )

    def write(self, step: int, groups: Sequence[GroupArrays], batches: Sequence[Assembled]) -> None:
        """Write up to 16 answers of a step; images are shrunk, so that a page can load them.

        Raises:
            OSError: the disk is full or refuses.
            ValueError: an image cannot be shown.
        """
        samples = self.samples(step, groups, batches, count=MAX_SAMPLES, max_side=MAX_SIDE)
        content = {
            "step": step,
            "attempt": self._attempt,
            "samples": [as_json(sample) for sample in samples],
        }
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        write_atomically(self._folder / f"step-{step:06d}.json", text + "\n")


def as_json(sample: AnswerSample) -> dict[str, Any]:
    """One answer under the names of the wire; a number that is not finite is null."""
    return {
        "problem": sample.problem,
        "reference": sample.reference,
        "tokens": sample.tokens,
        "dependency": [_number(nats) for nats in sample.dependency],
        "kept": sample.kept,
        "reward": _number(sample.reward),
        "advantage": _number(sample.advantage),
        "shapingWeight": _number(sample.shaping_weight),
        "trajectoryDependency": _number(sample.trajectory_dependency),
        "imagePng": base64.b64encode(sample.image_png).decode(),
        "maskedPng": base64.b64encode(sample.masked_png).decode(),
    }


def _number(value: float) -> float | None:
    """Six significant digits: more says nothing, and there are thousands of them."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
