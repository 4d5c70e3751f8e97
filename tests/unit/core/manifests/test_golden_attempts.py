"""A change of any line of an attempt is seen by a reader of the change."""

import pytest

from tests.unit.core.manifests.golden import FOLDER, requests, text_of
from vppo_core.manifests.check import check_cluster_job


@pytest.mark.parametrize("name", requests())
def test_the_committed_attempt_is_the_one_that_is_rendered(name: str) -> None:
    assert (FOLDER / name).read_text() == text_of(requests()[name])


@pytest.mark.parametrize("name", requests())
def test_the_committed_attempt_is_one_that_would_be_accepted(name: str) -> None:
    request = requests()[name]
    check_cluster_job(request.job, request.platform)
