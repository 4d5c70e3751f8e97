"""A replica in Ray: streamed groups, and weights that arrive by the broadcast group."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import torch
from transformers import AutoModelForImageTextToText

from vppo_core.batch.prompts import PromptBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.rollout.deployment import start
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.transport.weights import TensorEntry, WeightManifest, WeightSender

pytestmark = pytest.mark.slow

SETTINGS = SamplingSettings(group_size=2, max_tokens=8, temperature=1.0, run_seed=1)


@pytest.fixture(scope="module")
def ray_node() -> Iterator[None]:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}},
    )
    yield
    ray.shutdown()


def groups_of(replica: Any, prompts: list[PromptBatch]) -> dict[int, Any]:
    """What a driver does: read a header, keep a reference, next."""
    refs = [ray.put(prompt) for prompt in prompts]
    stream = replica.generate.options(num_returns="streaming").remote(refs, SETTINGS)
    groups = {}
    for header in stream:
        groups[ray.get(header).position] = next(stream)
    return {index: ray.get(ref) for index, ref in groups.items()}


def send(replica: Any, model: Any, version: int) -> int:
    sender = WeightSender("127.0.0.1", device="cpu", timeout_seconds=60)
    joined = replica.connect_weights.remote(sender.address, 1, 2)
    sender.connect(2)
    ray.get(joined)
    tensors = dict(model.named_parameters())
    manifest = WeightManifest(
        tuple(TensorEntry(name, tuple(t.shape), "float32") for name, t in tensors.items())
    )
    received = replica.receive_weights.remote(manifest, version)
    sender.send(manifest, tensors.values())
    answer: int = ray.get(received)
    return answer


@pytest.mark.usefixtures("ray_node")
def test_a_replica_streams_groups_and_answers_with_the_weights_it_was_sent(
    tiny_model: Path, job_of: Callable[..., VPPOJobSpec], prompts: list[PromptBatch]
) -> None:
    job = job_of(rollout={"engine": "vllm", "maxConcurrentSequences": 16})
    replica = start(job, {"num_cpus": 1})
    assert ray.get(replica.ping.remote()) == 0
    before = groups_of(replica, prompts)
    everywhere = range(len(prompts))
    assert sorted(before) == list(everywhere)
    assert {group.policy_version for group in before.values()} == {0}

    model = AutoModelForImageTextToText.from_pretrained(tiny_model)
    assert send(replica, model, version=1) == 1
    same = groups_of(replica, prompts)
    assert {group.policy_version for group in same.values()} == {1}
    assert [same[i].texts for i in everywhere] == [before[i].texts for i in everywhere]

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    assert send(replica, model, version=2) == 2
    other = groups_of(replica, prompts)
    assert [other[i].texts for i in everywhere] != [before[i].texts for i in everywhere]
    assert ray.get(replica.policy_version.remote()) == 2
    assert ray.get(replica.cache_info.remote())["kv_cache_tokens"] > 0
    ray.get(replica.close.remote())
