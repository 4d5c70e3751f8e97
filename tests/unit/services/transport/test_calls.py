"""What Ray raises becomes an error of ours that names role, step and cause."""

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from vppo_core.errors import NoSignalError, RoleDiedError
from vppo_services.transport.calls import translate

ADVICE = """The actor died because its worker process has died.
1 worker(s) were killed due to the node running low on memory.
Memory on the node (IP: 10.0.0.4) was 22.1GB / 23.0GB (0.96), above the threshold of 0.95.
Refer to the documentation on how to address the out of memory issue.
"""


@pytest.mark.parametrize("error", [OutOfMemoryError(ADVICE), RayActorError(error_msg=ADVICE)])
def test_a_page_of_advice_about_memory_becomes_one_sentence(error: RayError) -> None:
    ours = translate(error, role="learner", step=7)
    assert isinstance(ours, RoleDiedError)
    assert str(ours).startswith("role learner was killed at step 7 because its node was running")
    assert len(str(ours)) < 200


def test_an_error_of_ours_passes_as_it_is() -> None:
    cause = NoSignalError("no group was informative")
    assert translate(RayTaskError("step", "", cause), role="reward", step=2) is cause


def test_another_error_is_told_by_its_last_line() -> None:
    cause = ValueError("a long story\nshapes differ")
    told = str(translate(RayTaskError("step", "", cause), role="dependency", step=3))
    assert told.startswith("role dependency failed at step 3: ValueError: shapes differ;")


def test_a_lost_node_is_named() -> None:
    told = str(translate(NodeDiedError("its node died"), role="rollout", step=1))
    assert told == "role rollout was lost at step 1: its node died"
