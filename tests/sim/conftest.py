"""Worlds for the tests of this room: a cluster with KubeRay, and the operator's loop in it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sim.world import World
from vppo_core.archive.database import open_database

WorldOf = Callable[..., World]


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with its tables and no rows: making one takes longer than a whole life."""
    path = tmp_path_factory.mktemp("archive") / "empty.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def world_of(empty_archive: Path) -> Iterator[WorldOf]:
    """Makes worlds, each in a folder of its own; in memory where the machine allows it."""
    memory = Path("/dev/shm")
    made: list[World] = []
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as root:

        def make(**options: object) -> World:
            folder = Path(root) / str(len(made))
            folder.mkdir()
            shutil.copyfile(empty_archive, folder / "vppo.db")
            made.append(World(folder, **options))  # type: ignore[arg-type]
            return made[-1]

        yield make
        for world in made:
            world.close()


@pytest.fixture
def world(world_of: WorldOf) -> World:
    """A cluster without Kueue."""
    return world_of()
