"""PostgreSQL through psycopg 3: many writers, on any machine."""

from sqlalchemy import URL, Engine, create_engine

from vppo_core.archive.errors import StoreError


def postgres_engine(url: URL, *, wait_seconds: float) -> Engine:
    """Connections to a server; one that broke is noticed and replaced when it is taken.

    What the URL says wins over what is set here.

    Raises:
        StoreError: the driver is not installed.
    """
    milliseconds = round(wait_seconds * 1000)
    settings: dict[str, str | int] = {
        "connect_timeout": max(2, round(wait_seconds)),
        # A server that vanished without a word must not hold a thread for minutes.
        "tcp_user_timeout": max(2000, milliseconds),
        "application_name": "vppo",
        "options": f"-c lock_timeout={milliseconds} -c statement_timeout={6 * milliseconds}",
    }
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={name: value for name, value in settings.items() if name not in url.query},
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=24,
            pool_timeout=wait_seconds,
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"a PostgreSQL database must have its driver, got no module '{error.name}'; "
            "pip install 'vppo[postgres]'"
        ) from error
