"""No text of a user reaches a command, an environment variable or a field of a pod."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.manifests.attempts import cpu_platform, h100_platform, job_of, request_of
from vppo_core.manifests.rayjob import ENTRYPOINT
from vppo_core.manifests.render import render

FREE_TEXTS = (
    ("model", "source"),
    ("model", "revision"),
    ("data", "source"),
    ("data", "validationSource"),
    ("data", "problemKey"),
    ("data", "answerKey"),
    ("data", "imagesKey"),
    ("data", "promptTemplate"),
    ("checkpoint", "uri"),
    ("tracking", "mlflowUri"),
    ("tracking", "experiment"),
)
MARK = "<users own>"
HOSTILE = st.text(max_size=60) | st.sampled_from(
    ["$(touch /tmp/x)", "`id`", "'; rm -rf / #", '"}\n$HOME', "${HOME}", "a\nentrypoint: sh"]
)


def with_texts(texts: list[str]) -> dict[str, Any]:
    sections: dict[str, dict[str, str]] = {}
    for (section, field), text in zip(FREE_TEXTS, texts, strict=True):
        sections.setdefault(section, {})[field] = MARK + text
    return sections


@given(texts=st.lists(HOSTILE, min_size=len(FREE_TEXTS), max_size=len(FREE_TEXTS)))
def test_text_of_a_user_travels_in_the_config_map_alone(texts: list[str]) -> None:
    notes = {"note": MARK + texts[0]}
    job = job_of({"annotations": notes, "labels": notes}, **with_texts(texts))
    config_map, *others = render(request_of(job, cpu_platform()))
    assert MARK not in json.dumps(others, ensure_ascii=False)
    assert MARK not in json.dumps(config_map["metadata"], ensure_ascii=False)
    told = json.loads(config_map["data"]["job.json"])["spec"]
    assert [told[section][field] for section, field in FREE_TEXTS] == [MARK + t for t in texts]


NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


@given(
    name=NAME, namespace=NAME, secret=NAME, grader=st.from_regex(r"[a-z]+:[a-z]+", fullmatch=True)
)
def test_names_of_a_user_reach_no_command(
    name: str, namespace: str, secret: str, grader: str
) -> None:
    def commands(*, named: bool) -> Any:
        metadata = {"name": name, "namespace": namespace} if named else None
        placement = {"secret": secret} if named else {}
        reward = {"grader": grader} if named else {}
        job = job_of(metadata, placement=placement, reward=reward)
        spec = render(request_of(job, h100_platform()))[-1]["spec"]
        cluster = spec.pop("rayClusterSpec")
        groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
        containers = [g["template"]["spec"]["containers"][0] for g in groups]
        assert spec["entrypoint"] == ENTRYPOINT
        return (
            spec,
            [group["rayStartParams"] for group in groups],
            [(one["env"], one["lifecycle"], one.get("command")) for one in containers],
        )

    assert commands(named=True) == commands(named=False)
