"""A job by `POST /jobs`, through everything that a life on a cluster has."""

from typing import Any

import httpx

from tests.e2e.tools import Kubectl, demo_job, until

JOB = "by-rest"
OPERATOR = "app.kubernetes.io/component in (operator,control)"
OWN = "configmaps,poddisruptionbudgets,networkpolicies,rayjobs,rayclusters,pods"


def test_pause_resume_lost_head_killed_operator_and_deletion(
    release: Kubectl, rest: httpx.Client, clean: Any
) -> None:
    """One job, because a start costs a minute: each part begins where the last one ended."""
    clean(JOB)
    document = demo_job(
        JOB,
        learner={"numSteps": 400},
        rollout={"engine": "transformers"},
        checkpoint={"everySteps": 2},
    )

    def story() -> str:
        return release.story(JOB)

    def phase() -> str:
        return str(release.status(JOB).get("phase", ""))

    # Accepted by the API: the object is there, with its owner.
    answer = rest.post("/jobs", json=document)
    assert answer.status_code == 201, answer.text
    assert release.job(JOB)["metadata"]["annotations"]["vppo.io/owner"].endswith(":editor")
    assert rest.post("/jobs", json=document).status_code == 409

    # Paused: a checkpoint of the step that it did last, and no pods.
    until("it trains", lambda: release.step(JOB) >= 2, 900, story)
    assert rest.post(f"/jobs/{JOB}:pause").status_code == 202
    until("it is paused", lambda: phase() == "Paused", 400, story)
    until("its pods go", lambda: not release.pods(JOB), 240, story)
    paused = release.status(JOB)
    saved = paused["checkpoint"]["step"]
    assert saved == paused["attempts"][-1]["lastStep"] >= 2
    assert paused["attempts"][-1]["charged"] is False
    assert f"step {saved}" in rest.get(f"/jobs/{JOB}/explain").json()["sentence"]

    # Resumed, by kubectl: from that very step.
    release("patch", "vj", JOB, "--type=merge", "-p", '{"spec":{"desiredState":"Running"}}')
    until("it goes on", lambda: release.step(JOB) > saved, 900, story)
    assert release.status(JOB)["attempts"][-1]["firstStep"] == saved

    # The operator and the head's pod are killed: the job goes on from its last checkpoint. It is in
    # a new attempt, or, where the old driver could report nothing and nobody saw the pod being
    # away, in the same one, whose driver Ray started again.
    def newer_checkpoint() -> int:
        step = int(release.status(JOB)["checkpoint"]["step"])
        return step if step > saved else 0

    kept = until("it saves again", newer_checkpoint, 300, story)
    attempt = release.status(JOB)["attempt"]
    release("delete", "pod", "-l", OPERATOR, "--wait=false")
    release(
        "delete", "pod", "-l", f"vppo.io/job={JOB},vppo.io/role=head", "--grace-period=0", "--force"
    )

    def goes_on() -> bool:
        status = release.status(JOB)
        last = status["attempts"][-1]
        return last["firstStep"] >= kept and status["progress"]["step"] > last["firstStep"]

    until("it trains again", goes_on, 900, story)
    *_, before, last = release.status(JOB)["attempts"]
    if last["index"] > attempt:
        assert last["firstStep"] == before["checkpointStep"]
        assert before["charged"] is False
    else:
        events = release.items("events", "--field-selector=reason=SilentRestart")
        assert [one["involvedObject"]["name"] for one in events] == [JOB]

    # Deleted: nothing of it is left.
    release("delete", "vj", JOB, "--timeout=500s")
    until(
        "nothing is left",
        lambda: not release.items(OWN, "-l", f"vppo.io/job={JOB}"),
        300,
        story,
    )
