import pytest

from tests.unit.services.observability.fake_mlflow import FakeRuns


@pytest.fixture
def runs() -> FakeRuns:
    """An MLflow in memory."""
    return FakeRuns()
