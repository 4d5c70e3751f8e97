"""What the archive of a world holds."""

from tests.sim.world import World
from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.events import events_after
from vppo_core.archive.jobs import get_job
from vppo_core.archive.records import JobRecord
from vppo_core.spec.status import AttemptStatus


def archived_job(world: World, uid: str) -> JobRecord:
    """The row of a job."""
    assert world.db is not None
    return get_job(world.db, "", uid=uid)


def archived_attempts(world: World, uid: str) -> list[AttemptStatus]:
    """The rows of its attempts."""
    assert world.db is not None
    return attempts_of(world.db, uid)


def reasons_of(world: World, uid: str) -> list[str]:
    """Reasons of its events, oldest first."""
    assert world.db is not None
    return [one.reason for one in events_after(world.db, uid, after=0, limit=1000)]
