"""What cannot run says why, in words, and recovers when the cause goes."""

from typing import Any

import httpx
import pytest

from tests.e2e.tools import CommandFailed, Kubectl, demo_job, until


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found = [one for one in status.get("conditions", []) if one["type"] == kind]
    return found[0] if found else {}


def test_a_secret_that_is_missing_is_named_and_then_found(release: Kubectl, clean: Any) -> None:
    clean("no-secret")
    release.apply(demo_job("no-secret", placement={"secret": "hub-token"}))
    told = until(
        "the condition names the secret",
        lambda: "hub-token" in condition(release.status("no-secret"), "Queued").get("message", ""),
        400,
        lambda: release.story("no-secret"),
    )
    assert told
    release("create", "secret", "generic", "hub-token", "--from-literal=HF_TOKEN=x")
    try:
        until(
            "it starts",
            lambda: release.status("no-secret").get("phase") in ("Starting", "Running"),
            400,
            lambda: release.story("no-secret"),
        )
    finally:
        release("delete", "secret", "hub-token")


def test_gpus_that_no_node_has_are_told(release: Kubectl, rest: httpx.Client, clean: Any) -> None:
    refused = rest.post("/jobs", json=demo_job("too-big", placement={"learner": {"gpus": 64}}))
    assert refused.status_code == 422
    assert "GPU" in refused.json()["detail"] or "gpus" in refused.json()["detail"]
    clean("too-big")
    release.apply(demo_job("too-big", placement={"learner": {"gpus": 64}}))
    until(
        "the job is not accepted",
        lambda: condition(release.status("too-big"), "Accepted").get("status") == "False",
        240,
        lambda: release.story("too-big"),
    )


def test_kubectl_is_told_what_is_wrong_in_a_spec(release: Kubectl) -> None:
    wrong = demo_job("wrong", algorithm={"tokenKeepRatio": 1.5})
    with pytest.raises(CommandFailed, match="tokenKeepRatio"):
        release.apply(wrong)
    misspelt = demo_job("wrong", algorithm={"tokenKeepRation": 0.4})
    with pytest.raises(CommandFailed, match="tokenKeepRation"):
        release.apply(misspelt)
    release.apply(demo_job("fixed-sections", desiredState="Paused"))
    with pytest.raises(CommandFailed, match="immutable"):
        release(
            "patch",
            "vj",
            "fixed-sections",
            "--type=merge",
            "-p",
            '{"spec":{"learner":{"numSteps":9}}}',
        )
    release("delete", "vj", "fixed-sections", "--timeout=240s")
