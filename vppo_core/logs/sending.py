"""All lines of a long-lived program to one stream."""

import logging
from collections.abc import Iterable
from typing import Final, TextIO

from vppo_core.logs.formats import HumanFormatter, JsonFormatter

LOG_FORMATS: Final = ("auto", "json", "text")
"""JSON lines, lines for people, or whichever suits: on a terminal sit people."""

OURS: Final = ("vppo_core", "vppo_services", "vppo_operator")
_CHATTY: Final = ("kopf", "kopf.objects", "mlflow")
"""They tell of each thing that they do."""


def send_to(stream: TextIO, *, role: str, style: str, level: int, only_ours: bool) -> None:
    """Send all lines of this process to a stream; calling again replaces the set-up.

    Args:
        role: the program, named on each line.
        style: one of `LOG_FORMATS`.
        only_ours: whether libraries are heard only from a warning on.

    Raises:
        ValueError: there is no such style.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(stream, role=role, style=style))
    if only_ours:
        handler.addFilter(from_us_or_serious)
    replace_handlers([handler])
    if not only_ours:
        logging.getLogger().setLevel(level)
    hear_ours(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def replace_handlers(handlers: Iterable[logging.Handler]) -> None:
    """Put these in the place of those that were put here before; others stay."""
    root = logging.getLogger()
    for old in [one for one in root.handlers if getattr(one, "is_of_vppo", False)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.is_of_vppo = True  # type: ignore[attr-defined]
        root.addHandler(handler)


def hear_ours(level: int) -> None:
    """Make records of ours from this level on, whatever libraries may say."""
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def from_us_or_serious(record: logging.LogRecord) -> bool:
    """Whether a line is ours, or a warning at least."""
    return record.name.partition(".")[0] in OURS or record.levelno >= logging.WARNING


def _formatter(stream: TextIO, *, role: str, style: str) -> logging.Formatter:
    if style not in LOG_FORMATS:
        raise ValueError(f"a log's format must be {', '.join(LOG_FORMATS)}, got {style!r}")
    is_for_people = style == "text" or (style == "auto" and stream.isatty())
    return HumanFormatter(role) if is_for_people else JsonFormatter(role=role)
