"""Clients of an application on a store of jobs in memory."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, cast

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.unit.services.api.fake_job_store import MINIMAL, FakeJobStore
from vppo_services.api.app import create_app
from vppo_services.api.job_store import JobStore
from vppo_services.api.settings import ApiSettings

ClientOf = Callable[..., TestClient]


@pytest.fixture
def store() -> FakeJobStore:
    return FakeJobStore()


def client_to(
    app: FastAPI, *, base_url: str = "http://localhost", peer: str = "127.0.0.1"
) -> TestClient:
    return TestClient(
        app,
        base_url=base_url,
        client=(peer, 50_000),
        raise_server_exceptions=False,
        follow_redirects=False,
    )


@pytest.fixture
def client_of(store: FakeJobStore) -> Iterator[ClientOf]:
    """Makes a client of an application with these settings, on this machine or elsewhere."""
    with ExitStack() as clients:

        def make(
            *, base_url: str = "http://localhost", peer: str = "127.0.0.1", **settings: Any
        ) -> TestClient:
            app = create_app(cast(JobStore, store), ApiSettings(**settings))
            client = client_to(app, base_url=base_url, peer=peer)
            clients.callback(client.close)
            return client

        yield make


@pytest.fixture(scope="session")
def plain_app() -> FastAPI:
    """One for all tests that need nothing special: to make one takes a while."""
    return create_app(cast(JobStore, FakeJobStore()), ApiSettings())


@pytest.fixture
def client(plain_app: FastAPI, store: FakeJobStore) -> Iterator[TestClient]:
    plain_app.state.store = store
    with closing(client_to(plain_app)) as client:
        yield client


@pytest.fixture
def minimal() -> dict[str, Any]:
    """The smallest job there is, to be changed."""
    copy: dict[str, Any] = json.loads(json.dumps(MINIMAL))
    return copy
