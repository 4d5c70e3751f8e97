"""The end of a run: last checkpoint, final evaluation, model folder, report, summary."""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from vppo_core.runs.writing import write_atomically
from vppo_services.driver.provenance import STATE_TAG
from vppo_services.driver.run import Run
from vppo_services.observability.charts import Evaluation
from vppo_services.observability.record import read_steps
from vppo_services.observability.report import write_report

_log = logging.getLogger(__name__)

HISTOGRAMS_FILE: Final = "dependency_histograms.json"
_MAX_SPOTLIGHTS: Final = 32


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
    run.settle()
    summary = _summary(run, done=done)
    write_atomically(run.folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    _report(run, summary)
    _publish(run, summary)
    return summary


def _publish(run: Run, summary: dict[str, Any]) -> None:
    """Give MLflow what the job has: numbers, files, and the model if there is one."""
    names = {"accuracyBefore": "accuracy_before", "accuracyAfter": "accuracy_after"}
    values = {name: summary[key] for key, name in names.items() if summary[key] is not None}
    run.tracker.log_summary(
        run.step, {**values, "step": float(run.step), "seconds": summary["seconds"]}
    )
    run.tracker.set_tags({STATE_TAG: summary["state"]})
    for name in (*_write_histograms(run), "report.html", "metrics.jsonl", "summary.json"):
        run.tracker.log_artifact(run.folder / name)
    for path in sorted((run.folder / "spotlight").glob("step-*.json"))[-_MAX_SPOTLIGHTS:]:
        run.tracker.log_artifact(path, folder="spotlight")
    if summary["model"] and run.job.tracking.register_model:
        run.tracker.log_model(
            Path(summary["model"]),
            name=run.job_object["metadata"]["name"],
            step=run.step,
            settings={
                "prompt_template": run.job.data.prompt_template,
                "max_new_tokens": run.job.rollout.max_response_tokens,
                "suppress_tokens": list(run.spotlight.processor.banned_ids),
            },
        )


def _write_histograms(run: Run) -> list[str]:
    if not run.histograms:
        return []
    text = json.dumps([asdict(histogram) for histogram in run.histograms])
    try:
        write_atomically(run.folder / HISTOGRAMS_FILE, text + "\n")
    except OSError as error:
        _log.warning("%s was not written: %s", HISTOGRAMS_FILE, error)
        return []
    return [HISTOGRAMS_FILE]


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


def _report(run: Run, summary: dict[str, Any]) -> None:
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
