"""`python -m vppo_services.evaluation RUN_OR_CHECKPOINT`: accuracy on held-out questions."""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from vppo_core.errors import InvalidSpecError, VPPOError
from vppo_core.runs.writing import write_atomically
from vppo_services.evaluation.measure import measure
from vppo_services.observability.logging import configure


def main(arguments: list[str] | None = None) -> int:
    """Prints a sentence on standard error and JSON on standard output; 0, or the failure's code."""
    options = _parser().parse_args(arguments)
    configure(None, job="", role="evaluation", level=logging.WARNING)
    try:
        result = measure(options.source, _changes(options))
        sys.stderr.write(_sentence(result) + "\n")
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        _write(result, options.output)
    except VPPOError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vppo eval", description=__doc__)
    parser.add_argument("source", metavar="RUN_OR_CHECKPOINT", help="a run or a step's folder")
    parser.add_argument("--data", metavar="SOURCE", help="held-out rows; default: the job's own")
    parser.add_argument("--max-prompts", metavar="N", help="questions that are asked")
    parser.add_argument("--samples", metavar="K", help="answers per question")
    parser.add_argument("--temperature", metavar="T", help="0 takes the most probable token")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="write the JSON here too")
    return parser


def _changes(options: argparse.Namespace) -> list[str]:
    given = {
        "data.validationSource": options.data,
        "evaluation.maxPrompts": options.max_prompts,
        "evaluation.samplesPerPrompt": options.samples,
        "evaluation.temperature": options.temperature,
    }
    return [f"{path}={value}" for path, value in given.items() if value is not None]


def _write(result: dict[str, Any], output: Path | None) -> None:
    if output is None:
        return
    try:
        write_atomically(output, json.dumps(result, indent=2) + "\n")
    except OSError as error:
        raise InvalidSpecError(
            f"--output must name a file that can be written, got '{output}' ({error.strerror}); "
            "choose another"
        ) from None


def _sentence(result: dict[str, Any]) -> str:
    return (
        f"held-out accuracy at step {result['step']}: {result['accuracy']:.3f} "
        f"(95 % interval ±{result['halfWidth']:.3f}, {result['questions']} questions, "
        f"{result['answers']} answers, {result['seconds']:.0f} s)"
    )


if __name__ == "__main__":
    sys.exit(main())
