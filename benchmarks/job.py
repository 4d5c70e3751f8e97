"""A whole job with Ray and vLLM: throughput, where a step's time goes, what is stored."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.store import naive_bytes_per_step, one_megapixel
from benchmarks.tables import Result, Steps, median_of, median_share, stage_medians
from vppo_core.catalogue import labelled
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.loading import load_job
from vppo_services.demo.ensure import resolve_job
from vppo_services.observability.record import read_steps

JOB = Path(__file__).parents[1] / "helm" / "examples" / "demo-vppo.yaml"
BUSY = labelled("role_busy_seconds", "dependency")
WAITED = labelled("stage_seconds", "dependency")
# DAPO: the clean forward stays, because it gives the log-probs that every update starts from.
VIEW_OFF = ("dependency.enabled=false", "algorithm.shaping=none", "algorithm.tokenKeepRatio=1")
MAX_DEPENDENCY_SHARE = 0.12
MAX_STORE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How long, and on which model."""

    steps: int = 6
    untrained: bool = False
    """Skip the warm start of the demo's model: answers are noise, times are much the same."""

    @property
    def settings(self) -> list[str]:
        """What differs from the example, as `--set` takes it; nothing is evaluated."""
        settings = [f"learner.numSteps={self.steps}", "data.validationSource="]
        if self.untrained:
            settings += ["model.source=demo://qwen2.5-vl-untrained"]
            settings += ["algorithm.dynamicSampling=false"]
        if find_spec("vllm") is None:
            settings += ["rollout.engine=transformers"]
        return settings


def run(options: JobOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table.

    Raises:
        subprocess.CalledProcessError: the job failed; it has said why.
    """
    asked = load_job(JOB.read_text(), options.settings).spec
    # Model and data are made before the clock starts: that happens once on a machine.
    job = resolve_job(asked)
    steps, summary, start_up = _train(options)
    without, _, _ = _train(options, VIEW_OFF)
    step_seconds, busy = median_of(steps, "step_seconds"), median_of(steps, BUSY)
    view_seconds = busy - median_of(without, BUSY)
    report = {
        "job": _shape(asked, summary),
        "startUpSeconds": start_up,
        "samplesPerSecond": median_of(steps, "samples_per_second"),
        "stepSeconds": step_seconds,
        "stages": stage_medians(steps),
        "dependency": {
            "maskedViewSeconds": view_seconds,
            "maskedViewShare": view_seconds / step_seconds,
            "busySeconds": busy,
            "busyShare": median_share(steps, BUSY),
            "waitedSeconds": median_of(steps, WAITED),
            "waitedShare": median_share(steps, WAITED),
        },
        "objectStore": _store(steps, job),
        "oneMegapixelPrompt": one_megapixel(job),
    }
    return report, _results(report)


def _train(options: JobOptions, more: Sequence[str] = ()) -> tuple[Steps, dict[str, Any], float]:
    """Steps, summary, and seconds from the command to the first step."""
    with tempfile.TemporaryDirectory(prefix="vppo-bench-") as folder:
        output = Path(folder) / "run"
        command = [str(Path(sys.executable).with_name("vppo")), "train", str(JOB)]
        command += ["--output", str(output)]
        command += [part for setting in (*options.settings, *more) for part in ("--set", setting)]
        started = time.time()
        subprocess.run(command, check=True)
        summary = json.loads((output / "summary.json").read_text())
        steps = [step for step in read_steps(output / "metrics.jsonl") if "step_seconds" in step]
    first = steps[0]
    return steps, summary, first["time"] - first["step_seconds"] - started


def _shape(asked: VPPOJobSpec, summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": asked.model.source,
        "data": asked.data.source,
        "rolloutEngine": summary["rolloutEngine"],
        "steps": summary["step"],
        "promptsPerStep": asked.rollout.prompts_per_step,
        "groupSize": asked.rollout.group_size,
        "maxResponseTokens": asked.rollout.max_response_tokens,
        "dynamicSampling": asked.algorithm.dynamic_sampling,
        "estimator": asked.dependency.estimator.value,
    }


def _store(steps: Steps, job: VPPOJobSpec) -> dict[str, float]:
    stored, naive = median_of(steps, "object_store_bytes"), naive_bytes_per_step(job)
    return {"bytesPerStep": stored, "naivePixelBytes": naive, "share": stored / naive}


def _results(report: dict[str, Any]) -> list[Result]:
    dependency, most = report["dependency"], MAX_DEPENDENCY_SHARE
    store, large = report["objectStore"], report["oneMegapixelPrompt"]
    return [
        Result("samples per second", report["samplesPerSecond"], "/s"),
        Result("step", report["stepSeconds"], "s"),
        *(
            Result(f"stage {name}", stage["share"], "share")
            for name, stage in report["stages"].items()
        ),
        Result("masked view beside DAPO, of a step", dependency["maskedViewShare"], "share", most),
        Result("both views, computing, of a step", dependency["busyShare"], "share"),
        Result("both views, waited for, of a step", dependency["waitedShare"], "share"),
        Result("object store of naive pixels, this job", store["share"], "share", MAX_STORE_SHARE),
        Result("object store of naive pixels, 1 MP", large["share"], "share", MAX_STORE_SHARE),
        Result("start-up", report["startUpSeconds"], "s"),
    ]
