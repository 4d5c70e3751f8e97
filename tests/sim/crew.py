"""All drivers of a world: started in head pods, told to stop with them, heard by the operator."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.sim.driver import PlayedDriver, Reply, Script
from tests.sim.nodes import config_maps_of
from tests.sim.objects import ObjectStore
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import CONFIG_MAPS, PODS
from vppo_core.runs.protocol import AttemptFile


class Crew:
    """Drivers, each in its pod.

    Args:
        volume: what all pods of a job share.
        state: the operator's folder.
        receive: what the operator's receiver answers to a report.
    """

    def __init__(
        self,
        store: ObjectStore,
        now: Callable[[], datetime],
        *,
        volume: Path,
        state: Path,
        receive: Callable[[AttemptFile], Reply],
    ) -> None:
        self._store = store
        self._now = now
        self._volume = volume
        self._state = state
        self._receive = receive
        self.scripts: dict[str, Script] = {}
        """By name of the job."""

        self.drivers: list[PlayedDriver] = []
        """All that ever ran, oldest first."""

        self._pods: dict[int, str] = {}

    def script(self, job: str) -> Script:
        """How drivers of a job behave; what is changed in it holds from now on."""
        return self.scripts.setdefault(job, Script())

    def start(self, ray_job: KubeObject, head: KubeObject) -> PlayedDriver:
        """Run the entrypoint of a RayJob in its head pod, with the files that are mounted there."""
        home = ray_job["metadata"]["namespace"]
        maps = [self._store.get(CONFIG_MAPS, home, one) for one in config_maps_of(head["spec"])]
        files = {key: text for one in maps if one for key, text in one["data"].items()}
        attempt = AttemptFile.model_validate_json(files["attempt.json"])
        learner = json.loads(files["job.json"])["spec"]["learner"]
        driver = PlayedDriver(
            attempt,
            steps=learner["numSteps"],
            micro_batch=learner["maxTokensPerMicroBatch"],
            script=self.script(attempt.job),
            volume=self._volume,
            state=self._state,
            now=self._now,
            receiver=self._receive,
        )
        self._pods[len(self.drivers)] = head["metadata"]["uid"]
        self.drivers.append(driver)
        return driver

    def step(self) -> None:
        """Let every driver whose pod is there work; those whose pod is gone are dead."""
        pods = {one["metadata"]["uid"]: one for one in self._store.list(PODS)}
        for number, driver in enumerate(self.drivers):
            here = pods.get(self._pods[number])
            if here is None or here["status"]["phase"] == "Failed":
                driver.kill()
                continue
            if "deletionTimestamp" in here["metadata"]:
                driver.stop()  # the preStop hook
            driver.step()
