"""A trained model in MLflow: registered, loaded where vppo is not installed, and asked."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.small_job import small_spec
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.model import ModelSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.sources import read_rows
from vppo_services.demo.ensure import resolve_job
from vppo_services.observability.mlflow import MlflowSink
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.rollout.transformers_engine import TransformersEngine

pytestmark = pytest.mark.slow

ASK = """
import base64, json, sys

class NoVppo:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("vppo_core", "vppo_services"):
            raise ImportError(name)

sys.meta_path.insert(0, NoVppo())
import mlflow

uri, image, question = sys.argv[1:]
mlflow.set_tracking_uri(uri)
model = mlflow.pyfunc.load_model("models:/demo/1")
rows = [{"image": image, "question": question}]
raw = [{"image": base64.b64decode(image), "question": question}]
print(json.dumps({
    "base64": model.predict(rows)["answer"].tolist(),
    "bytes": model.predict(raw)["answer"].tolist(),
    "short": model.predict(rows, params={"max_new_tokens": 1})["answer"].tolist(),
    "text": model.predict([{"question": "How many?"}])["answer"].tolist(),
    "inputs": model.metadata.get_input_schema().input_names(),
}))
"""


def test_a_registered_model_answers_as_the_sampler_does(tmp_path: Path) -> None:
    spec = resolve_job(VPPOJobSpec.model_validate(small_spec(timeout_seconds=1.0, num_steps=1)))
    processor = PromptProcessor.load(spec.model.source, min_pixels=3136, max_pixels=4096)
    weights = tmp_path / "weights"
    _export(spec.model, processor, weights)
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    sink = MlflowSink(
        store, experiment="vppo", run_name="demo", folder=tmp_path / "run", spool_bytes=2**20
    )
    settings = {
        "prompt_template": spec.data.prompt_template,
        "max_new_tokens": 12,
        "suppress_tokens": list(processor.banned_ids),
    }
    sink.start()
    for _ in range(2):  # an answer that was lost: all is sent again
        sink.log_model(weights, name="demo", step=1, settings=settings)
    assert sink.close("FINISHED", timeout_seconds=120.0)
    assert sink.dropped == 0

    row = read_rows(spec.data, spec.data.source)[0]
    image = base64.b64encode(row.images[0]).decode()
    done = subprocess.run(
        [sys.executable, "-c", ASK, store, image, row.problem],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers["inputs"] == ["image", "question"]
    expected = _sampled(spec, processor, row)
    assert answers["base64"] == answers["bytes"] == [expected]
    assert len(answers["short"][0]) < len(expected)
    assert isinstance(answers["text"][0], str)

    from mlflow import MlflowClient

    [version] = MlflowClient(store).search_model_versions("name = 'demo'")
    assert version.run_id == sink.job_run_id


def _export(model: ModelSpec, processor: PromptProcessor, folder: Path) -> None:
    from transformers import AutoModelForImageTextToText

    AutoModelForImageTextToText.from_pretrained(model.source).save_pretrained(folder)
    processor.save(folder)


def _sampled(spec: Any, processor: PromptProcessor, row: Any) -> str:
    """The most probable answer, by the engine that samples in training."""
    rollout = RolloutSpec.model_validate({"maxResponseTokens": 12, "groupSize": 2})
    engine = TransformersEngine(spec.model, rollout, processor)
    prompt = PromptFactory(processor, spec.data).make(row, 0)
    settings = SamplingSettings(
        group_size=1, max_tokens=12, temperature=0.0, top_p=1.0, top_k=0, run_seed=0
    )
    [(_, batch)] = list(engine.generate([prompt], settings))
    return batch.texts[0]
