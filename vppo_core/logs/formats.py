"""Records as lines: JSON for programs, short ones for people. Neither has a secret in it."""

import json
import logging
from datetime import UTC, datetime

from vppo_core.logs.fields import NAMES, noted
from vppo_core.redact import redact


class JsonFormatter(logging.Formatter):
    """One JSON object a record, with the fields of `NAMES`; one that is not known is null."""

    def __init__(self, **fixed: object) -> None:
        """Take the fields that all lines of this process share."""
        super().__init__()
        self._fixed: dict[str, object] = {}
        self.fix(**fixed)

    def fix(self, **fixed: object) -> None:
        """Change fields that all lines of this process share."""
        self._fixed |= {name: value for name, value in fixed.items() if value not in (None, "")}

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, without secrets."""
        fields = {**self._fixed, **noted()}
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **{name: fields.get(name) for name in NAMES},
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """`12:30:05 driver step 3: text`, with the level where it is a warning or worse."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """The record as a short line, without secrets."""
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = noted()
        parts = [str(fields.get("role", self._role))]
        if "job" in fields:
            parts.append(f"job {fields['job']}")
        if "step" in fields:
            parts.append(f"step {fields['step']}")
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        text = redact(record.getMessage())
        if record.exc_info:
            text += "\n" + redact(self.formatException(record.exc_info))
        request = f" [{fields['request']}]" if fields.get("request") else ""
        return f"{clock} {' '.join(parts)}: {level}{text}{request}"
