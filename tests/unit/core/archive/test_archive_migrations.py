from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreError
from vppo_core.archive.migrate import migrate
from vppo_core.archive.tables import metadata
from vppo_core.archive.transactions import connect
from vppo_core.archive.webhooks import webhooks

OLD_JOB = text(
    "INSERT INTO jobs (uid, name, namespace, owner, queue, phase, generation, version, created,"
    " spec_hash, labels, annotations, status_json, spec_json)"
    " VALUES ('u', 'old', '', 'ann', '', 'Pending', 1, 1, 0, 'h', '{}', '{}', '{}', '{}')"
)


@pytest.fixture
def bare(url: str) -> Iterator[Database]:
    """A database without tables."""
    database = connect(url)
    yield database
    database.close()


def test_the_steps_lead_to_the_tables_of_the_program(db: Database) -> None:
    with db.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_conditions_of_indexes_are_those_of_the_program(db: Database, bare: Database) -> None:
    def indexes(database: Database) -> dict[str, str]:
        catalogue = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            if database.dialect == "sqlite"
            else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        )
        with database.reading() as connection:
            rows = connection.execute(text(catalogue)).all()
        return {name: " ".join(sql.split()) for name, sql in rows if "alembic" not in name}

    with bare.writing() as connection:
        metadata.create_all(connection)
    assert indexes(bare) == indexes(db)


def test_an_old_database_is_brought_up_to_date_with_its_jobs(bare: Database, url: str) -> None:
    migrate(bare, revision="0001")
    with bare.writing() as connection:
        assert "webhooks" not in inspect(connection).get_table_names()
        connection.execute(OLD_JOB)
    db = open_database(url)
    with db.reading() as connection:
        assert connection.execute(text("SELECT name FROM jobs")).scalars().all() == ["old"]
    assert webhooks(db) == []
    db.close()


def test_a_database_of_today_is_opened_as_it_is(url: str) -> None:
    first = open_database(url)
    with first.writing() as connection:
        connection.execute(OLD_JOB)
    first.close()
    again = open_database(url)
    with again.reading() as connection:
        assert connection.execute(text("SELECT name FROM jobs")).scalars().all() == ["old"]
    again.close()


def test_a_database_of_a_newer_program_is_refused(bare: Database, url: str) -> None:
    migrate(bare)
    with bare.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="version 0003 or older, got 9999"):
        open_database(url)


def test_a_step_that_fails_leaves_nothing_behind(bare: Database, url: str) -> None:
    with bare.writing() as connection:
        connection.execute(text("CREATE TABLE usage (something INTEGER)"))
    with pytest.raises(Exception, match="usage"):
        open_database(url)
    with bare.reading() as connection:
        assert inspect(connection).get_table_names() == ["usage"]
