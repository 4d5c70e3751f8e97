"""An archive that the operator may die right after writing to."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, make_url

from tests.sim.kube_server import Killed
from vppo_core.archive.database import Database
from vppo_core.archive.sqlite import sqlite_engine
from vppo_core.archive.unavailable import unavailable


class MortalDatabase(Database):
    """A SQLite archive with its tables made; commits are counted and may be the last."""

    def __init__(self, url: str) -> None:
        super().__init__(sqlite_engine(make_url(url), wait_seconds=5.0))
        self.commits = 0
        self.is_away = False
        """Whether it answers nothing."""

        self._left: int | None = None

    def fail_after(self, commits: int) -> None:
        """Let the next `commits` transactions be committed, and raise `Killed` after the last."""
        self._left = commits

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what is committed."""
        self._answer()
        with super().reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction."""
        self._answer()
        with super().writing() as connection:
            yield connection
        self.commits += 1
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._left = None
                raise Killed

    def _answer(self) -> None:
        if self.is_away:
            raise unavailable("the server is away")
