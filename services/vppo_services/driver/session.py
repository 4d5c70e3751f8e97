"""An attempt from its opening to its end; what it imports takes seconds to load."""

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from vppo_services.driver.attempt import Ending
from vppo_services.driver.finish import finish
from vppo_services.driver.loop import train
from vppo_services.driver.open import Opening, open_run
from vppo_services.driver.provenance import STATE_TAG
from vppo_services.driver.run import Run
from vppo_services.observability.tracker import METRICS_FILE
from vppo_services.transport.node import stop_ray

MODEL_SECONDS: Final = 900.0
"""What a healthy MLflow may take for the model; one that is away is given up after a minute."""


def run_attempt(asked: Opening) -> None:
    """Train, from where the attempt starts to the last step or to a request to stop.

    Raises:
        VPPOError: what ended the attempt badly; checkpoints stay.
        KeyboardInterrupt: a stop was requested while the roles started.
    """
    run: Run | None = None
    try:
        run = open_run(asked)
        _train(run)
        asked.attempt.finishes()
        summary = finish(run)
        # Said before the trackers are awaited: what is done must not be lost while they are away.
        asked.attempt.ends(Ending(summary["state"], message=_first_line(summary)))
        status = "FINISHED" if summary["state"] == "Succeeded" else "KILLED"
        run.tracker.close(status, busy_seconds=MODEL_SECONDS)
        run.progress.say(_closing_words(summary, asked.folder))
    except BaseException:
        if run is not None:
            run.tracker.set_tags({STATE_TAG: "Failed"})
            run.tracker.log_artifact(asked.folder / METRICS_FILE)
            run.tracker.close("FAILED", timeout_seconds=10.0)
        raise
    finally:
        stop_ray()


def _train(run: Run) -> None:
    if run.step == 0:
        with suppress(KeyboardInterrupt), run.drain.interrupting():
            run.evaluate()
    run.attempt.trains()
    train(run)


def _first_line(summary: dict[str, Any]) -> str:
    return f"{summary['state'].lower()} at step {summary['step']} after {summary['seconds']:.0f} s"


def _closing_words(summary: dict[str, Any], folder: Path) -> str:
    before, after = summary["accuracyBefore"], summary["accuracyAfter"]
    lines = [_first_line(summary)]
    if after is not None:
        lines.append(f"held-out accuracy {before:.3f} -> {after:.3f}")
    lines.append(f"checkpoint {summary['checkpoint'] or 'none'}")
    if summary["model"]:
        lines.append(f"model      {summary['model']}")
    lines.append(f"report     {(folder / 'report.html').absolute()}")
    return "\n".join(lines)
