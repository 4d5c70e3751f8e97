"""Exact against sampled token dependency: time and memory beside the head, hidden states given.

Each measurement runs in a process of its own, so that one estimator's high-water mark is not the
other's; the two alternate, so that a slow minute of the machine hits both.
"""

import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.machine import GIB, cores, forget_peak, peak_resident_bytes, run_apart
from benchmarks.tables import Result, on_the_wire
from vppo_core.algo.dependency import score_views

ESTIMATORS = ("kl_sampled", "kl_full")
MAX_TIME_RATIO = 1.2
MAX_EXTRA_GIB = 0.6


@dataclass(frozen=True, slots=True)
class KlOptions:
    """Sizes of hidden states and head, and of the tiles in which the head is read."""

    tokens: int = 4096
    vocabulary: int = 152_064
    hidden: int = 1024
    dtype: str = "float32"
    chunk_tokens: int = 512
    chunk_vocabulary: int = 16_384
    device: str = "cpu"
    threads: int = 0
    """Of the CPU; 0 means one for each core."""
    repeats: int = 3


def run(options: KlOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table."""
    options = replace(options, threads=options.threads or cores())
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ESTIMATORS}
    for repeat in range(options.repeats):
        for name in ESTIMATORS if repeat % 2 == 0 else reversed(ESTIMATORS):
            runs[name].append(run_apart(measure, options, name))
    report = {
        "shape": on_the_wire(options),
        "gpu": torch.cuda.get_device_name() if options.device == "cuda" else None,
        **_compared(runs),
    }
    return report, _results(report)


def measure(options: KlOptions, estimator: str) -> dict[str, float]:
    """Seconds, CPU seconds and extra memory of one scoring of both views."""
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    generator = torch.Generator(device).manual_seed(0)

    def normal(rows: int, scale: float) -> torch.Tensor:
        values = torch.randn(rows, options.hidden, generator=generator, device=device)
        return values.mul_(scale).to(getattr(torch, options.dtype))

    weight, hidden = normal(options.vocabulary, 0.1), normal(options.tokens, 1.0)
    perturbed = hidden + normal(options.tokens, 0.1)
    token_ids = torch.randint(
        options.vocabulary, (options.tokens,), generator=generator, device=device
    )

    def score(rows: int) -> None:
        score_views(
            hidden[:rows],
            perturbed[:rows],
            weight,
            token_ids[:rows],
            estimator=estimator,
            chunk_tokens=options.chunk_tokens,
            chunk_vocabulary=options.chunk_vocabulary,
        )
        if device.type == "cuda":
            torch.cuda.synchronize()

    # Libraries load their kernels once; neither their time nor their memory is the estimator's.
    score(8 if device.type == "cpu" else options.chunk_tokens)
    before = _start_peak(device)
    start, cpu_start = time.perf_counter(), time.process_time()
    score(options.tokens)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return {
        "seconds": seconds,
        "cpuSeconds": cpu_seconds,  # what a busy neighbour cannot stretch
        "extraGiB": (_peak_bytes(device) - before) / GIB,
    }


def _compared(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """All runs, medians of time with their ratio, and the highest memory."""
    compared: dict[str, Any] = {}
    for key in ("seconds", "cpuSeconds"):
        values = {name: [run[key] for run in runs[name]] for name in ESTIMATORS}
        median = {name: statistics.median(values[name]) for name in ESTIMATORS}
        ratio = median["kl_full"] / median["kl_sampled"]
        compared[key] = {"runs": values, "median": median, "ratio": ratio}
    peak = {name: max(run["extraGiB"] for run in runs[name]) for name in ESTIMATORS}
    return {**compared, "peakExtraGiB": peak}


def _results(report: dict[str, Any]) -> list[Result]:
    seconds, cpu, peak = (report[key] for key in ("seconds", "cpuSeconds", "peakExtraGiB"))
    lines = [Result("kl_full / kl_sampled, time", seconds["ratio"], "x", MAX_TIME_RATIO)]
    if report["gpu"] is None:
        lines += [Result("kl_full / kl_sampled, CPU time", cpu["ratio"], "x", MAX_TIME_RATIO)]
    return [
        *lines,
        *(Result(f"{name}, time", seconds["median"][name], "s") for name in ESTIMATORS),
        Result("kl_full, memory beside the head", peak["kl_full"], "GiB", MAX_EXTRA_GIB),
        Result("kl_sampled, memory beside the head", peak["kl_sampled"], "GiB"),
    ]


def _start_peak(device: torch.device) -> int:
    """Bytes in use now; the high-water mark starts from here."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    forget_peak()
    return peak_resident_bytes()


def _peak_bytes(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else peak_resident_bytes()
