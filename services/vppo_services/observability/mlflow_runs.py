"""Which runs of MLflow belong to a job: one for the job, one nested below it for each attempt."""

import json
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from vppo_core.runs.writing import write_atomically

JOB: Final = ""
"""Stands for the job's own run where else the number of an attempt stands."""


class JobRuns:
    """`run.json`: the runs' keys, on disk before the runs are made, and their ids once known.

    The key of a job that has a uid is this uid: it is found again when the folder is lost.
    """

    def __init__(self, path: Path, *, uri: str, experiment: str, job: str, uid: str) -> None:
        """Take up what `path` says of this MLflow and experiment, or begin anew.

        Args:
            uid: of the job; empty makes a key at random.
        """
        self._path = path
        self._lock = threading.Lock()
        self.uri, self.experiment = uri, experiment
        state = _read(path)
        is_known = state.get("uri") == uri and state.get("experiment") == experiment
        self.is_new = not is_known
        """Whether nothing was known of the job here."""
        if not is_known:
            state = {}
        self.job = str(state.get("job") or job)
        self.key = str(state.get("key") or uid or uuid.uuid4().hex)
        self._ids: dict[str, str] = dict(state.get("ids", {}))
        self._open: list[str] = list(state.get("open", []))
        self._started: dict[str, int] = dict(state.get("started", {}))
        # A random key is nowhere yet; a uid may have runs that an earlier folder knew.
        self._floor: int | None = state.get("floor", None if uid and self.is_new else -1)
        self._save()

    @property
    def floor(self) -> int | None:
        """Last step that an earlier, lost folder delivered; -1 for none, None when not known."""
        with self._lock:
            return self._floor

    def set_floor(self, step: int) -> None:
        """Keep the last step that MLflow has from a lost folder."""
        with self._lock:
            self._floor = step
            self._save()

    def id_of(self, run: str) -> str:
        """Id of a run; empty until MLflow gave one."""
        with self._lock:
            return self._ids.get(run, "")

    def learn(self, run: str, run_id: str) -> None:
        """Keep the id of a run."""
        with self._lock:
            self._ids[run] = run_id
            self._save()

    def forget(self) -> None:
        """Forget all ids: MLflow does not know the runs any more."""
        with self._lock:
            self._ids.clear()
            self._save()

    def key_of(self, run: str) -> str:
        """What a run is found by, in every store."""
        return self.key if run == JOB else f"{self.key}/{run}"

    def name_of(self, run: str) -> str:
        """What people read."""
        return self.job if run == JOB else f"{self.job} attempt {run}"

    def started_ms(self, run: str) -> int:
        """When a run began, milliseconds since the epoch; 0 where nobody said so."""
        with self._lock:
            return self._started.get(run, 0)

    def begin(self, attempt: str, now_ms: int) -> list[str]:
        """Open an attempt; the attempts before it that never said how they ended."""
        with self._lock:
            for run in (JOB, attempt):
                self._started.setdefault(run, now_ms)
            left = [one for one in self._open if one != attempt]
            self._open = [attempt]
            self._save()
        return left

    def end(self, attempt: str) -> None:
        """Close an attempt."""
        with self._lock:
            self._open = [one for one in self._open if one != attempt]
            self._save()

    def _save(self) -> None:
        state = {
            "uri": self.uri,
            "experiment": self.experiment,
            "job": self.job,
            "key": self.key,
            "ids": self._ids,
            "open": self._open,
            "started": self._started,
            "floor": self._floor,
        }
        with suppress(OSError):  # disk full: a restart would make second runs, no worse
            write_atomically(self._path, json.dumps(state))


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        state = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(state, dict):
            return state
    return {}
