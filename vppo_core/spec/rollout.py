"""How answers are sampled."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import SpecModel


class RolloutEngine(StrEnum):
    """What generates tokens."""

    VLLM = "vllm"
    TRANSFORMERS = "transformers"


class RolloutSpec(SpecModel):
    """Sampling of a group of answers for each prompt."""

    engine: RolloutEngine = RolloutEngine.VLLM
    """Generator: vLLM, or plain transformers where vLLM cannot run."""

    group_size: Annotated[int, Field(ge=2, le=128)] = 8
    """Rollouts per prompt; the group is the baseline of its own advantage."""

    prompts_per_step: Annotated[int, Field(ge=1, le=65_536)] = 384
    """Groups trained on in one step."""

    max_response_tokens: Annotated[int, Field(ge=1, le=131_072)] = 2048
    """Longest answer; a longer one is cut and graded as it stands."""

    temperature: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    """Logits are divided by it, in sampling and in scoring alike."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""

    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Sample among this many most probable tokens; 0 means all."""

    max_concurrent_sequences: Annotated[int, Field(ge=1, le=65_536)] = 256
    """Answers that one replica generates at the same time."""

    max_batched_tokens: Annotated[int, Field(ge=64, le=10_000_000)] = 8192
    """Tokens that one replica processes in one forward pass."""

    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Share of a GPU's memory that vLLM may take."""

    cpu_kv_cache_gib: Annotated[int, Field(ge=1, le=1024)] = 1
    """Memory for keys and values where vLLM runs on a CPU, GiB."""

    enforce_eager: bool = False
    """Run without CUDA graphs: slower, starts faster."""

    tensor_parallel_size: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs that share one replica's weights."""

    timeout_seconds: Annotated[int, Field(ge=10, le=86_400)] = 1800
    """A replica that yields no group for this long counts as dead."""
