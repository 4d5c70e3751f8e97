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
        learner={"numSteps": 60},
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
    until("it trains", lambda: release.step(JOB) >= 2, 600, story)
    assert rest.post(f"/jobs/{JOB}:pause").status_code == 202
    until("it is paused", lambda: phase() == "Paused", 240, story)
    until("its pods go", lambda: not release.pods(JOB), 120, story)
    paused = release.status(JOB)
    saved = paused["checkpoint"]["step"]
    assert saved == paused["attempts"][-1]["lastStep"] >= 2
    assert paused["attempts"][-1]["charged"] is False
    assert f"step {saved}" in rest.get(f"/jobs/{JOB}/explain").json()["sentence"]

    # Resumed, by kubectl: from that very step.
    release("patch", "vj", JOB, "--type=merge", "-p", '{"spec":{"desiredState":"Running"}}')
    until("it goes on", lambda: release.step(JOB) > saved, 600, story)
    assert release.status(JOB)["attempts"][-1]["firstStep"] == saved

    # The operator is killed, then the head pod: the job goes on from its last checkpoint.
    attempt = release.status(JOB)["attempt"]
    release("delete", "pod", "-l", OPERATOR, "--wait=false")
    release(
        "delete", "pod", "-l", f"vppo.io/job={JOB},vppo.io/role=head", "--grace-period=0", "--force"
    )
    until("another attempt starts", lambda: release.status(JOB)["attempt"] > attempt, 400, story)
    until("it trains again", lambda: "started" in release.status(JOB)["attempts"][-1], 600, story)
    *_, before, last = release.status(JOB)["attempts"]
    assert last["firstStep"] == before["checkpointStep"] >= saved
    assert before["charged"] is False

    # Deleted: nothing of it is left.
    release("delete", "vj", JOB, "--timeout=240s")
    until(
        "nothing is left",
        lambda: not release.items(OWN, "-l", f"vppo.io/job={JOB}"),
        180,
        story,
    )
