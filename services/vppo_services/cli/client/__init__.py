"""Typed clients of the API, blocking and for asyncio."""

from vppo_services.cli.client.async_client import AsyncClient
from vppo_services.cli.client.following import StreamReset, Watched
from vppo_services.cli.client.history_calls import LogFilter
from vppo_services.cli.client.job_calls import Created, JobFilter
from vppo_services.cli.client.problems import (
    ApiProblem,
    BadRequestProblem,
    ConflictProblem,
    NotFoundProblem,
    PermissionProblem,
    ServerAwayProblem,
)
from vppo_services.cli.client.retries import Retries
from vppo_services.cli.client.sync_client import Client
from vppo_services.cli.server import Server, server_of

__all__ = [
    "ApiProblem",
    "AsyncClient",
    "BadRequestProblem",
    "Client",
    "ConflictProblem",
    "Created",
    "JobFilter",
    "LogFilter",
    "NotFoundProblem",
    "PermissionProblem",
    "Retries",
    "Server",
    "ServerAwayProblem",
    "StreamReset",
    "Watched",
    "server_of",
]
