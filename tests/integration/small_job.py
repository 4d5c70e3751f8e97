"""The smallest job that trains: a tiny model whose answers are graded by their length."""

from typing import Any


def small_spec(*, timeout_seconds: float, num_steps: int, **sections: dict[str, Any]) -> Any:
    """Its spec on the wire names; sections replace single fields.

    Args:
        timeout_seconds: of the grader, a module `by_length` on the path.
    """
    spec: dict[str, Any] = {
        "model": {
            "source": "demo://qwen2.5-vl-untrained",
            "dtype": "float32",
            "minPixels": 3136,
            "maxPixels": 4096,
        },
        "data": {"source": "demo://colours", "maxPromptTokens": 128},
        "rollout": {
            "engine": "transformers",
            "groupSize": 4,
            "promptsPerStep": 4,
            "maxResponseTokens": 12,
        },
        "reward": {"grader": "by_length:grade", "timeoutSeconds": timeout_seconds},
        "learner": {"numSteps": num_steps, "promptsPerUpdate": 2, "learningRate": 0.001},
        "checkpoint": {"everySteps": 1},
    }
    for name, values in sections.items():
        spec[name] = {**spec.get(name, {}), **values}
    return spec
