"""A real run shows every metric of the catalogue: its own page, the roles' and vLLM's on Ray's."""

import json
import signal
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vppo_core.catalogue import DISTRIBUTIONS, EVERY, METRICS, STAGES, Kind, Metric, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ABSENT = {
    "replica_gpu_memory_bytes": "there is no GPU",
}
OF_VLLM = {
    "ray_vllm_generation_tokens_total",
    "ray_vllm_prompt_tokens_total",
    "ray_vllm_request_success_total",
    "ray_vllm_num_requests_running",
    "ray_vllm_num_requests_waiting",
    "ray_vllm_num_preemptions_total",
    "ray_vllm_kv_cache_usage_perc",
    "ray_vllm_prefix_cache_queries_total",
    "ray_vllm_prefix_cache_hits_total",
    "ray_vllm_e2e_request_latency_seconds_bucket",
    "ray_vllm_time_to_first_token_seconds_bucket",
    "ray_vllm_request_time_per_output_token_seconds_bucket",
}

Samples = dict[str, list[tuple[dict[str, str], float]]]


def samples_of(*urls: str) -> Samples:
    """Labels and values by the name of a series."""
    found: Samples = {}
    for url in urls:
        try:
            text = urlopen(url, timeout=10.0).read().decode()
        except URLError:  # an agent that has just started
            continue
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def missing(entries: Any, samples: Samples) -> set[str]:
    def is_there(entry: Metric) -> bool:
        suffix = "_count" if entry.kind is Kind.HISTOGRAM else ""
        return f"{entry.series}{suffix}" in samples

    return {entry.key for entry in entries if not is_there(entry)} - ABSENT.keys()


def test_every_metric_of_the_catalogue_appears_in_a_real_run(runs: Any, tmp_path: Path) -> None:
    output = tmp_path / "run"
    spec = runs.spec(
        data={
            "source": "demo://colours",
            "validationSource": "demo://colours?split=validation",
            "maxPromptTokens": 128,
        },
        rollout={"engine": "vllm", "enforceEager": True},
        evaluation={"maxPrompts": 4, "everySteps": 2},
        learner={"numSteps": 10_000},
    )
    child = runs.start(spec, output)
    runs.wait_for((output / "metrics.json").exists, child)
    endpoint = json.loads((output / "metrics.json").read_text())
    assert endpoint["ray"]
    roles = [entry for entry in EVERY.values() if entry.page is Page.ROLES]

    def is_complete() -> bool:
        own, ray = samples_of(endpoint["url"]), samples_of(*endpoint["ray"])
        lacks[:] = [
            missing([*METRICS.values(), *DISTRIBUTIONS.values()], own),
            missing(roles, ray),
            OF_VLLM - ray.keys(),
            {"evaluate"} - {labels["stage"] for labels, _ in own.get("vppo_stage_seconds", [])},
        ]
        pages[:] = [own, ray]
        # Between a step's values and its distributions a page may be read.
        is_whole = value(own, "vppo_response_tokens_count") == value(
            own, "vppo_samples_trained_total"
        )
        return not any(lacks) and is_whole and value(own, "vppo_step") >= 4 and agrees(ray)

    def agrees(ray: Samples) -> bool:
        # Each process tells Ray's agent on its own, every ten seconds.
        try:
            check_rays_page(ray)
        except AssertionError as error:
            lacks.append({str(error)})
            return False
        return True

    lacks: list[set[str]] = []
    pages: list[Samples] = []
    try:
        runs.wait_for(is_complete, child)
    except AssertionError as error:
        raise AssertionError(f"never seen: {lacks}") from error
    check_own_page(pages[0])
    child.send_signal(signal.SIGTERM)
    text, _ = child.communicate(timeout=120)
    assert child.returncode == 0, text
    check_sums(output / "metrics.jsonl")


def value(samples: Samples, name: str, **labels: str) -> float:
    return sum(v for given, v in samples.get(name, []) if labels.items() <= given.items())


def check_own_page(own: Samples) -> None:
    """Numbers that must agree, whatever the run did."""
    assert value(own, "vppo_attempt") == 1.0
    assert value(own, "vppo_total_steps") == 10_000.0
    assert value(own, "vppo_checkpoint_step") <= value(own, "vppo_step")
    started = value(own, "vppo_attempt_start_timestamp_seconds")
    assert value(own, "vppo_checkpoint_timestamp_seconds") > started > 1.7e9
    for share in ("bubble_share", "overlap_share", "no_signal_share"):
        assert 0.0 <= value(own, f"vppo_{share}") <= 1.0
    tokens = value(own, "vppo_tokens_trained_total")
    assert value(own, "vppo_response_tokens_sum") == tokens
    assert value(own, "vppo_token_dependency_nats_count") == tokens
    roles = {labels["role"] for labels, _ in own["vppo_role_busy_seconds"]}
    assert roles == {"rollout", "reward", "dependency", "learner"}
    assert {labels["stage"] for labels, _ in own["vppo_stage_seconds"]} <= set(STAGES)


def check_rays_page(ray: Samples) -> None:
    """Each role has one series; evaluations are in what was sampled."""
    whose = [
        (labels["role"], labels["replica"]) for labels, _ in ray["ray_vppo_replica_calls_total"]
    ]
    assert sorted(whose) == [(r, "0") for r in ("dependency", "learner", "reward", "rollout")]
    for role, _ in whose:
        assert value(ray, "ray_vppo_replica_busy_seconds_total", role=role) > 0.0
        assert value(ray, "ray_vppo_replica_memory_bytes", role=role) > 1e7
    assert value(ray, "ray_vppo_replica_tokens_generated_total") > value(
        ray, "ray_vppo_replica_tokens_trained_total"
    )
    assert value(ray, "ray_vppo_replica_policy_version", role="rollout") > 0.0
    generated = value(ray, "ray_vllm_generation_tokens_total")
    assert generated == pytest.approx(
        value(ray, "ray_vppo_replica_tokens_generated_total"), rel=0.5
    )


def check_sums(path: Path) -> None:
    """Every answer is trained on, wasted, or still carried."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = [line for line in lines if "samples_generated" in line]
    for unit in ("samples", "tokens"):
        sums = [
            sum(s[f"{unit}_{what}"] for s in steps) for what in ("generated", "trained", "wasted")
        ]
        left = sums[0] - sums[1] - sums[2]
        assert left >= 0.0
        assert unit == "tokens" or left == 4 * steps[-1]["groups_carried"]
