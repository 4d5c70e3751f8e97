"""Jobs that live in memory and move when they are told to."""

import asyncio
from typing import Any

from history import checkpoints, events
from objects import ago, five_jobs, many_jobs

FINAL = ("Succeeded", "Failed", "Cancelled")
MOVES = {
    "pause": ("Paused", "Stopping", "Paused", "PauseRequested"),
    "resume": ("Running", "Starting", "Running", "ResumeRequested"),
    "cancel": ("Cancelled", "Stopping", "Cancelled", "CancelRequested"),
}
"""Verb: desired state, phase at once, phase a moment later, reason of the event."""

MOMENT = 2.0
"""Seconds; a page on a loaded machine has to see the phase between."""


class World:
    """All that the made-up server knows."""

    def __init__(self) -> None:
        self.changed = asyncio.Condition()
        self.reset()

    def reset(self, *, jobs: str = "five", token: str = "", failing: str = "") -> None:
        """Begin anew: `five` jobs, `none`, or `many`; `failing` is a path that answers 503."""
        five = (
            []
            if jobs == "none"
            else [j.model_dump(mode="json", by_alias=True) for j in five_jobs()]
        )
        self.jobs: list[dict[str, Any]] = five + (many_jobs(10_000) if jobs == "many" else [])
        self.events = {
            j["metadata"]["name"]: events(j["metadata"]["name"], j["status"]["phase"]) for j in five
        }
        self.checkpoints = {
            j["metadata"]["name"]: checkpoints((j["status"]["checkpoint"] or {"step": 0})["step"])
            for j in five
        }
        self.token = token
        self.failing = failing
        self.by_key: dict[str, dict[str, Any]] = {}

    def find(self, name: str) -> dict[str, Any] | None:
        """The newest job of a name."""
        return next((job for job in self.jobs if job["metadata"]["name"] == name), None)

    def listed(self, *, phases: list[str], queue: str, name: str) -> list[dict[str, Any]]:
        """Jobs that fit, newest first."""
        return [
            job
            for job in self.jobs
            if (not phases or job["status"]["phase"] in phases)
            and (not queue or job["status"]["queue"]["name"] == queue)
            and name in job["metadata"]["name"]
        ]

    async def tell(self, name: str, reason: str, message: str, actor: str = "vppo") -> None:
        """Add an event and wake the streams."""
        history = self.events.setdefault(name, [])
        history.append(
            {
                "seq": len(history) + 1,
                "time": ago().isoformat(),
                "actor": actor,
                "kind": "Audit" if actor != "vppo" else "Normal",
                "reason": reason,
                "message": message,
                "payload": {},
            }
        )
        async with self.changed:
            self.changed.notify_all()

    async def move(self, name: str, verb: str) -> dict[str, Any]:
        """Do a verb; the second half of it comes a moment later."""
        job = self.find(name)
        assert job is not None
        desired, now, later, reason = MOVES[verb]
        job["spec"]["desiredState"] = desired
        job["status"]["phase"] = now
        await self.tell(name, reason, f"the job was asked to {verb}", actor="lena")

        async def arrive() -> None:
            await asyncio.sleep(MOMENT)
            job["status"]["phase"] = later
            await self.tell(name, later, f"the job is {later.lower()}")

        self.arrival = asyncio.create_task(arrive())
        return job

    async def add(self, job: dict[str, Any]) -> None:
        """A new job at the top."""
        self.jobs.insert(0, job)
        await self.tell(job["metadata"]["name"], "Created", "the job was accepted", actor="lena")
