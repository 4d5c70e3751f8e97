"""The end of a run: last checkpoint, final evaluation, model folder, report, summary."""

import json
import logging
from pathlib import Path
from typing import Any

from vppo_core.runs.writing import write_atomically
from vppo_services.driver.run import Run
from vppo_services.observability.charts import Evaluation
from vppo_services.observability.record import read_steps
from vppo_services.observability.report import write_report

_log = logging.getLogger(__name__)


def finish(run: Run) -> dict[str, Any]:
    """Complete what the loop began; the summary that is also written to `summary.json`.

    A run that was asked to stop early only completes its checkpoint; before its first step there
    is none.
    """
    done = run.step >= run.job.learner.num_steps
    if run.step > 0:
        # A request may arrive between the end of a step and the loop's next look.
        run.save()
    if done:
        run.evaluate()
        with run.stage("checkpoint"):
            run.fleet.on_learners("export", str((run.folder / "model").absolute()), step=run.step)
    run.checkpoints.settle(wait=True)
    summary = _summary(run, done=done)
    write_atomically(run.folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    report = _report(run, summary)
    for path in (report, run.folder / "metrics.jsonl", run.folder / "summary.json"):
        run.tracker.log_artifact(path)
    if done:
        run.tracker.log_artifact(run.folder / "model", folder="model")
    return summary


def _summary(run: Run, *, done: bool) -> dict[str, Any]:
    accuracies = [evaluation["accuracy"] for evaluation in run.evaluations]
    return {
        "state": "Succeeded" if done else "Stopped",
        "step": run.step,
        "accuracyBefore": accuracies[0] if accuracies else None,
        "accuracyAfter": accuracies[-1] if len(accuracies) > 1 else None,
        "evaluations": run.evaluations,
        "seconds": round(run.clock.seconds, 3),
        "stageSeconds": {name: round(took, 3) for name, took in run.clock.total.items()},
        "roleBusySeconds": {name: round(took, 3) for name, took in run.busy_seconds.items()},
        "checkpoint": run.checkpoints.uri(),
        "model": str((run.folder / "model").absolute()) if done else "",
        "quarantinedRows": {str(k): n for k, n in run.feed.quarantine.counts.items()},
        "rolloutEngine": run.job.rollout.engine.value,
    }


def _report(run: Run, summary: dict[str, Any]) -> Path:
    path = run.folder / "report.html"
    samples = []
    if run.last is not None:
        samples = run.spotlight.samples(run.step, *run.last)
    write_report(
        path,
        job=run.job_object,
        steps=read_steps(run.folder / "metrics.jsonl"),
        evaluations=[
            Evaluation(step=int(e["step"]), accuracy=e["accuracy"], answers=int(e["answers"]))
            for e in run.evaluations
        ],
        histograms=run.histograms,
        samples=samples,
        summary=summary,
    )
    return path
