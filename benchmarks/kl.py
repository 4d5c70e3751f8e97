"""Exact against sampled token dependency: time and memory beside the head, hidden states given.

Each measurement runs in a process of its own, so that one estimator's high-water mark is not the
other's; the two alternate, so that a slow minute of the machine hits both.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from vppo_core.algo.dependency import score_views

ESTIMATORS = ("kl_sampled", "kl_full")
GIB = 2**30


def main() -> None:
    """Measure and write the report, or (with --estimator) be one measurement."""
    arguments = _parse()
    if arguments.estimator:
        print(json.dumps(measure(arguments)))
        return
    report = {
        "machine": machine(arguments),
        "shape": {
            name: getattr(arguments, name) for name in ("tokens", "vocabulary", "hidden", "dtype")
        },
        "tile": {"tokens": arguments.chunk_tokens, "vocabulary": arguments.chunk_vocabulary},
        **compare(arguments),
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both estimators, alternated `repeats` times; medians and their ratio."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ESTIMATORS}
    for repeat in range(arguments.repeats):
        for name in ESTIMATORS if repeat % 2 == 0 else reversed(ESTIMATORS):
            runs[name].append(_measure_apart(name))
    report: dict[str, Any] = {}
    for key in ("seconds", "cpuSeconds"):
        values = {name: [run[key] for run in runs[name]] for name in ESTIMATORS}
        median = {name: statistics.median(values[name]) for name in ESTIMATORS}
        ratio = median["kl_full"] / median["kl_sampled"]
        report[key] = {"runs": values, "median": median, "ratio": ratio}
    peak = {name: max(run["extraGiB"] for run in runs[name]) for name in ESTIMATORS}
    return {**report, "peakExtraGiB": peak}


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds and extra resident memory of one scoring of both views."""
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    generator = torch.Generator(device).manual_seed(0)

    def normal(rows: int, scale: float) -> torch.Tensor:
        values = torch.randn(rows, arguments.hidden, generator=generator, device=device)
        return values.mul_(scale).to(getattr(torch, arguments.dtype))

    weight, hidden = normal(arguments.vocabulary, 0.1), normal(arguments.tokens, 1.0)
    perturbed = hidden + normal(arguments.tokens, 0.1)
    token_ids = torch.randint(
        arguments.vocabulary, (arguments.tokens,), generator=generator, device=device
    )

    def score(rows: int) -> None:
        score_views(
            hidden[:rows],
            perturbed[:rows],
            weight,
            token_ids[:rows],
            estimator=arguments.estimator,
            chunk_tokens=arguments.chunk_tokens,
            chunk_vocabulary=arguments.chunk_vocabulary,
        )
        if device.type == "cuda":
            torch.cuda.synchronize()

    # Libraries load their kernels once; neither their time nor their memory is the estimator's.
    score(8 if device.type == "cpu" else arguments.chunk_tokens)
    before = _start_peak(device)
    start, cpu_start = time.perf_counter(), time.process_time()
    score(arguments.tokens)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return {
        "seconds": seconds,
        "cpuSeconds": cpu_seconds,  # what a busy neighbour cannot stretch
        "extraGiB": (_peak_bytes(device) - before) / GIB,
    }


def machine(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": arguments.threads,
        "gpu": torch.cuda.get_device_name() if arguments.device == "cuda" else None,
        "torch": torch.__version__,
    }


def _measure_apart(estimator: str) -> dict[str, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--estimator", estimator]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _start_peak(device: torch.device) -> int:
    """Bytes in use now; the high-water mark starts from here, where the system can."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return _peak_bytes(device)


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--vocabulary", type=int, default=152_064)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--chunk-tokens", type=int, default=512)
    parser.add_argument("--chunk-vocabulary", type=int, default=16_384)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", default="float32", help="of hidden states and head")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--estimator", choices=ESTIMATORS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
