"""`python -m benchmarks [NAME]...`: measure, write JSON, print a table with the goals."""

import argparse
import json
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.tables import Result, table
from vppo_core.errors import VPPOError

MODULES = {
    "job": "job",
    "kl": "kl",
    "fsdp": "fsdp",
    "control": "control",
    "operator": "cluster_operator",
    "metrics": "metrics",
    "mlflow": "mlflow_replay",
    "cluster": "cluster",
    "dashboards": "dashboards",
}
NAMES = tuple(MODULES)
OPTIONS = {name: f"{name.title()}Options" for name in NAMES}
RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> int:
    """0 when everything was measured, whether or not the goals are met; else why not, printed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    names = options.benchmarks or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"a benchmark must be one of {', '.join(NAMES)}, got {min(unknown)!r}")
    results: dict[str, list[Result]] = {}
    for name in names:
        print(f"measuring {name} ...", flush=True)
        try:
            report, results[name] = _run(name, options)
        except subprocess.CalledProcessError as error:
            print(f"{name} was not measured: its command ended with code {error.returncode}")
            return 1
        except VPPOError as error:
            print(f"{name} was not measured: {error}")
            return error.exit_code
        _write(options.out, name, report, results[name], device=options.device)
    print(table(results))
    return 0


def _run(name: str, options: argparse.Namespace) -> tuple[dict[str, Any], list[Result]]:
    """One benchmark; only its own libraries are imported."""
    given = {key: value for key, value in vars(options).items() if value is not None}

    module = import_module(f"benchmarks.{MODULES[name]}")
    kind = getattr(module, OPTIONS[name])
    return module.run(kind(**{f.name: given[f.name] for f in fields(kind) if f.name in given}))


def _write(
    folder: Path, name: str, report: dict[str, Any], results: list[Result], *, device: str | None
) -> None:
    """One file for each benchmark; what a GPU measured does not replace what the CPU did."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = f"-{device}" if name == "kl" and device not in (None, "cpu") else ""
    whole = {
        "benchmark": name,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": describe_machine(),
        **report,
        "results": [result.as_json() for result in results],
    }
    text = json.dumps(_rounded(whole), indent=2)
    (folder / f"{name}{suffix}.json").write_text(text + "\n")


def _rounded(value: Any) -> Any:
    """Numbers with as many digits as a measurement has."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if not isinstance(value, float):
        return value
    return round(value) if abs(value) >= 1e5 else float(f"{value:.4g}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "benchmarks", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; default all"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON files")
    parser.add_argument("--repeats", type=int, help="of each measurement in kl and fsdp")
    job = parser.add_argument_group("job")
    job.add_argument("--steps", type=int, help="to train; the first is not measured")
    job.add_argument("--untrained", action="store_true", help="the demo's model without warm start")
    kl = parser.add_argument_group("kl")
    for name in ("tokens", "vocabulary", "hidden", "chunk-tokens", "chunk-vocabulary", "threads"):
        kl.add_argument(f"--{name}", type=int)
    kl.add_argument("--device", choices=("cpu", "cuda"))
    kl.add_argument("--dtype", choices=("float32", "bfloat16"), help="of hidden states and head")
    return parser


if __name__ == "__main__":
    sys.exit(main())
