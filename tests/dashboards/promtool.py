"""`promtool test rules`, with files made of tables."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

Series = Mapping[str, str]
"""Values by series, in promtool's notation: `0+10x5`, `1x30`, `_x5`."""

needs_promtool: Final = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: apt-get install prometheus",
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def check_page(page: bytes) -> str:
    """What promtool finds wrong with a page of metrics; empty where it is content."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, check=False
    )
    said = (done.stdout + done.stderr).decode()
    return said if done.returncode or said else ""


def world(series: Series, queries: Sequence[Mapping[str, Any]], interval: str = "1m") -> Any:
    """One test: what there is, and what is asked of it."""
    return {
        "interval": interval,
        "input_series": [{"series": name, "values": text} for name, text in series.items()],
        "promql_expr_test": list(queries),
    }


def nothing(expression: str, at: str) -> dict[str, Any]:
    """An expression that returns no series."""
    return {"expr": expression, "eval_time": at, "exp_samples": []}


def number(expression: str, at: str, value: float) -> dict[str, Any]:
    """An expression that returns one series without labels."""
    return {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}


def run_tests(folder: Path, rules: Path | None, tests: Sequence[Any]) -> None:
    """All tests hold.

    Raises:
        AssertionError: with what promtool says of those that do not.
    """
    content = {"rule_files": [str(rules)] if rules else [], "tests": list(tests)}
    path = folder / "tests.yaml"
    path.write_text(yaml.safe_dump(content))
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
