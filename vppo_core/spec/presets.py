"""Jobs of the paper by name: what differs from the defaults, as sections on the wire.

GRPO and DAPO are the VPPO job with a few fields changed.

Source: VPPO, arXiv:2510.09285v2, tables 9 and 14, and the scripts of VPPO-RL a23c54b; the GRPO
values are those PAPO published, because the authors' own are not.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.fields import nearest
from vppo_core.spec.job import API_VERSION, KIND, VPPOJob, VPPOJobSpec

Sections = Mapping[str, Mapping[str, Any]]

PROMPT_TEMPLATE: Final = (
    "{{ content | trim }}\n\n"
    "You first think through the reasoning process as an internal monologue, enclosed within "
    "<think> </think> tags. Then, provide your final answer enclosed within \\boxed{}."
)

DAPO_CHANGES: Final[Sections] = {
    "dependency": {"enabled": False},
    "algorithm": {"shaping": "none", "tokenKeepRatio": 1.0},
}
"""From VPPO to DAPO: no shaping, no filtering, and so nothing to measure. The penalty stays."""

GRPO_CHANGES: Final[Sections] = {
    "algorithm": {
        "clipRatioHigh": 0.3,
        "penaltyCoef": 0.0,
        "referenceKlCoef": 0.01,
        "dynamicSampling": False,
    },
}
"""From DAPO to GRPO: every group is trained on, held near the loaded model by a KL."""

REFERENCE_CHANGES: Final[Sections] = {
    "rollout": {"topP": 0.99},
    "dependency": {"estimator": "kl_sampled", "grid": "reference", "headPrecision": "model"},
    "algorithm": {
        "shapingScope": "reference_device",
        "tokenKeepRounding": "float32",
        "carryOver": False,
        "mismatchCap": 0.0,
    },
    "learner": {"optimizer": "adamw_bf16_kahan"},
}
"""From VPPO to the numerics of the official code."""

_VPPO_7B: Final[dict[str, Any]] = {
    "seed": 1,
    "model": {"source": "Qwen/Qwen2.5-VL-7B-Instruct"},
    "data": {
        "source": "chamber111/VPPO_ViRL39K_train",
        "validationSource": "chamber111/VPPO_MMK12_validation",
        "promptTemplate": PROMPT_TEMPLATE,
    },
    "evaluation": {"everySteps": 5, "samplesPerPrompt": 8},
    "placement": {
        "rollout": {"replicas": 3, "cpus": 8, "gpus": 1},
        "reward": {"replicas": 8},
        "dependency": {"replicas": 1, "cpus": 8, "gpus": 1},
        "learner": {"replicas": 4, "cpus": 8, "gpus": 1},
        "objectStoreMib": 8192,
    },
}
_VPPO_8B_CHANGES: Final[Sections] = {
    "model": {"source": "Qwen/Qwen3-VL-8B-Instruct"},
    "rollout": {"maxResponseTokens": 8192, "maxBatchedTokens": 12289},
    "algorithm": {"penaltyCoef": 0.12},
    "learner": {"numSteps": 130},
}
_VPPO_32B_CHANGES: Final[Sections] = {
    "model": {"source": "Qwen/Qwen2.5-VL-32B-Instruct"},
    "rollout": {"maxResponseTokens": 4096, "tensorParallelSize": 4},
    "placement": {
        "rollout": {"replicas": 3, "cpus": 8, "gpus": 4},
        "dependency": {"replicas": 4, "cpus": 8, "gpus": 1},
        "learner": {"replicas": 16, "cpus": 8, "gpus": 1},
        "objectStoreMib": 16_384,
    },
}
_MEASURED_AGAIN: Final[Sections] = {
    "dependency": {"enabled": True},
    "algorithm": {"shaping": "dynamic", "tokenKeepRatio": 0.4},
}


@dataclass(frozen=True)
class Preset:
    """A job with a name."""

    name: str
    """Name of the preset and of the job it makes."""

    summary: str
    """What it trains, in one line."""

    spec: Mapping[str, Any]
    """The spec on the wire, fields at their defaults left out."""

    def document(self) -> dict[str, Any]:
        """The whole job object, ready to be written to a file; the caller may change it."""
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": self.name},
            "spec": copy.deepcopy(dict(self.spec)),
        }

    def job(self) -> VPPOJob:
        """The checked job."""
        return VPPOJob.model_validate(self.document())


def changed(spec: Mapping[str, Any], *changes: Sections) -> dict[str, Any]:
    """A copy of a spec with the fields of each change written over it."""
    result = copy.deepcopy(dict(spec))
    for sections in changes:
        for section, fields in sections.items():
            result[section] = {**result.get(section, {}), **copy.deepcopy(dict(fields))}
    return {name: result[name] for name in _in_order(result)}


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        InvalidSpecError: there is none.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = nearest(name, PRESETS)
    cure = f"did you mean '{near}'?" if near else "`vppo presets` lists them"
    raise InvalidSpecError(f"a preset must be one of {', '.join(PRESETS)}, got '{name}'; {cure}")


def _in_order(spec: Mapping[str, Any]) -> list[str]:
    return [name for name in VPPOJobSpec.model_fields if name in spec]


def _presets() -> dict[str, Preset]:
    vppo, dapo = _VPPO_7B, changed(_VPPO_7B, DAPO_CHANGES)
    grpo = changed(dapo, GRPO_CHANGES)
    made = (
        Preset("vppo-7b", "VPPO on Qwen2.5-VL-7B, 8 GPUs", changed(vppo)),
        Preset("vppo-8b", "VPPO on Qwen3-VL-8B, 8 GPUs", changed(vppo, _VPPO_8B_CHANGES)),
        Preset("vppo-32b", "VPPO on Qwen2.5-VL-32B, 32 GPUs", changed(vppo, _VPPO_32B_CHANGES)),
        Preset("dapo-7b", "DAPO: VPPO without shaping and filtering", dapo),
        Preset("grpo-7b", "GRPO: DAPO without dynamic sampling, with a KL", grpo),
        Preset(
            "vppo-on-grpo-7b",
            "GRPO with shaping and filtering (table 5)",
            changed(grpo, _MEASURED_AGAIN),
        ),
        Preset(
            "reference-compat-7b",
            "vppo-7b with the numerics of the official code",
            changed(vppo, REFERENCE_CHANGES),
        ),
    )
    return {one.name: one for one in made}


PRESETS: Final[Mapping[str, Preset]] = _presets()
