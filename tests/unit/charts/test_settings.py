"""The environment of the pods is one that the programs read, and take."""

from typing import Any

import pytest
from pydantic_settings import BaseSettings

from tests.unit.charts.rendering import PROFILES, containers_of, environment_of, of_profile
from vppo_operator.settings import OperatorSettings
from vppo_services.api.settings import ApiSettings

PROGRAMS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("api", ApiSettings),
    ("operator", OperatorSettings),
)


def environment(profile: str, program: str) -> dict[str, Any]:
    found = environment_of(containers_of(of_profile(profile))[program])
    prefix = f"{program.upper()}_"
    return {name: value for name, value in found.items() if name.startswith(prefix)}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("program", "settings"), PROGRAMS)
def test_a_program_knows_each_of_its_variables_and_takes_its_value(
    profile: str,
    program: str,
    settings: type[BaseSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = environment(profile, program)
    known = {f"{program}_{name}".upper() for name in settings.model_fields}
    assert set(variables) <= known
    for name, value in variables.items():
        # What Kubernetes fills in: a Secret's entry, or the pod's own name.
        monkeypatch.setenv(name, value if isinstance(value, str) else "filled-in")
    settings()


def test_the_api_is_that_of_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("default", "api").items():
        monkeypatch.setenv(name, value)
    settings = ApiSettings()
    assert settings.is_cluster
    assert (settings.host, settings.port, settings.namespace) == ("0.0.0.0", 8080, "ml")
    assert settings.namespaces == ("ml",)


@pytest.mark.parametrize(("profile", "is_lease"), [("postgres", False), ("two-operators", True)])
def test_two_operators_have_a_lease(
    profile: str, is_lease: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(profile, "operator").items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "filled-in")
    settings = OperatorSettings()
    assert settings.lease is is_lease
    assert settings.lease_namespace == "ml"
    assert settings.has_receiver
    assert (settings.receiver_port, settings.metrics_port) == (8443, 9090)
