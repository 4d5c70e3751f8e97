"""Rows that cannot be trained on: named in a file, counted, and limited to a share."""

import json
import logging
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vppo_core.errors import QuarantineLimitError
from vppo_services.data.rows import BadReason, BadRowError

MIN_ROWS: Final = 20
"""Rows that must have been seen before their bad share says anything."""

_log = logging.getLogger(__name__)


class Quarantine:
    """Counts rows seen and set aside, and writes one JSON line for each row set aside.

    A row is known by its source and uid and counts once, however often it is drawn: call `saw_good`
    or `set_aside` for every row drawn.
    """

    def __init__(self, path: Path | str, max_share: float) -> None:
        """Append to `path`; above `max_share` of the rows seen, raise."""
        self.path = Path(path)
        self.write_errors = 0
        """Lines that could not be written, for instance because the disk is full."""
        self._max_share = max_share
        self._good = 0
        self._reasons: dict[tuple[str, str], BadReason] = {}
        self._written = _keys_in(self.path)

    @property
    def seen(self) -> int:
        """Different rows drawn so far."""
        return self._good + len(self._reasons)

    @property
    def counts(self) -> dict[BadReason, int]:
        """Different rows set aside, by reason; reasons without rows are left out."""
        return dict(Counter(self._reasons.values()))

    def saw_good(self, uid: str, visit: int = 0) -> None:
        """The row `uid` became a prompt; only its first visit counts.

        Raises:
            QuarantineLimitError: too many of the rows seen are bad.
        """
        assert uid, "a row has a name"
        self._good += visit == 0
        self._check_share()

    def set_aside(self, bad: BadRowError, *, source: str = "") -> None:
        """Record a bad row of `source`; a disk that refuses the line does not stop the job.

        Raises:
            QuarantineLimitError: too many of the rows seen are bad, or every single one.
        """
        key = (source, bad.uid)
        comes_again = key in self._reasons
        self._reasons.setdefault(key, bad.reason)
        if key not in self._written:
            self._write(source, bad)
        # Rows come again only after every row has come: without a good one this would never end.
        self._check_share(nothing_left=comes_again and not self._good)

    def state(self) -> dict[str, Any]:
        """Counts and bad rows as plain JSON, for a checkpoint."""
        rows = [[source, uid, str(why)] for (source, uid), why in self._reasons.items()]
        return {"good": self._good, "set_aside": rows}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's `state()`; lines already in the file are not written again."""
        self._good = int(state["good"])
        self._reasons = {(source, uid): BadReason(why) for source, uid, why in state["set_aside"]}

    def _check_share(self, *, nothing_left: bool = False) -> None:
        bad = len(self._reasons)
        too_many = self.seen >= MIN_ROWS and bad > self._max_share * self.seen
        if not too_many and not nothing_left:
            return
        counted = Counter(self._reasons.values()).most_common()
        reasons = ", ".join(f"{why} {count}" for why, count in counted)
        raise QuarantineLimitError(
            f"data.maxQuarantineShare allows {self._max_share:g} of the rows to be set aside, got "
            f"{bad} of {self.seen} ({reasons}); repair the rows named in {self.path}, "
            "or raise the share"
        )

    def _write(self, source: str, bad: BadRowError) -> None:
        record = {"source": source, "uid": bad.uid, "reason": str(bad.reason), "detail": bad.detail}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 1))
                cut_short = file.read(1) not in (b"", b"\n")  # by a crash or a full disk
                file.write(b"\n" * cut_short + json.dumps(record).encode() + b"\n")
        except OSError as error:
            self.write_errors += 1
            _log.warning("quarantined row not written to %s: %s", self.path, error)
            return
        self._written.add((source, bad.uid))


def _keys_in(path: Path) -> set[tuple[str, str]]:
    """Rows that an earlier attempt has written already; a line cut short is passed over."""
    keys = set()
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    record = json.loads(line)
                    keys.add((str(record["source"]), str(record["uid"])))
                except (ValueError, KeyError, TypeError):
                    continue
    except OSError:
        return set()
    return keys
