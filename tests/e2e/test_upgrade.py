"""Upgrade and uninstall leave jobs alone. Last of its folder: it takes the release away."""

from typing import Any

from tests.e2e.tools import HELM, NAMESPACE, Kubectl, demo_job, install, run


def test_jobs_survive_upgrade_and_uninstall(release: Kubectl, clean: Any) -> None:
    release.apply(demo_job("kept", desiredState="Paused"))
    uid = release.job("kept")["metadata"]["uid"]
    install("--set=podAnnotations.vppo-test=upgraded")
    assert release.job("kept")["metadata"]["uid"] == uid
    run(HELM, "uninstall", "vppo", "--namespace", NAMESPACE, "--wait")
    run(HELM, "uninstall", "vppo-crds", "--wait")
    assert release.job("kept")["metadata"]["uid"] == uid
    install()
    clean("kept")
