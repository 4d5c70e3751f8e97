"""The part of the store that reads run folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vppo_core.archive.run_records import Artifact, Lines, LogLine, MetricsLine
from vppo_core.runs.folder import RunFolder
from vppo_services.local import run_files
from vppo_services.local.endpoints import RunPage


class RunStore:
    """What runs left behind in folders below one folder."""

    def __init__(self, jobs_folder: Path) -> None:
        self._jobs_folder = jobs_folder

    def metrics(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[MetricsLine]:
        """Numbers of steps behind a position, oldest first; a step may come in several lines."""
        return run_files.read_metrics(self._run(uid), after=after, limit=limit)

    def logs(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[LogLine]:
        """Log lines behind a position, oldest first."""
        return run_files.read_logs(self._run(uid), after=after, limit=limit)

    def run_pages(self) -> Sequence[RunPage]:
        """Pages of running attempts that only this server knows of; on a cluster there are none."""
        return ()

    def artifacts(self, uid: str) -> Sequence[Artifact]:
        """Files of the run: report, summary, samples, model; not checkpoints."""
        return run_files.artifacts(self._run(uid))

    def artifact_path(self, uid: str, path: str) -> Path:
        """Where an artifact lies.

        Raises:
            JobNotFoundError: no such file, or one outside the run's folder.
        """
        return run_files.artifact_path(self._run(uid), path)

    def spotlight_steps(self, uid: str) -> Sequence[int]:
        """Steps with sampled answers, oldest first."""
        return run_files.spotlight_steps(self._run(uid))

    def spotlight(self, uid: str, step: int) -> dict[str, Any]:
        """Sampled answers of a step, as the driver wrote them.

        Raises:
            JobNotFoundError: there are none.
        """
        return run_files.spotlight(self._run(uid), step)

    def _run(self, uid: str) -> RunFolder:
        return RunFolder.of(self._jobs_folder, uid)
