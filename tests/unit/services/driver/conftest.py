"""What the courier's tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.driver.courier_scene import Scene
from vppo_services.driver.receiver import Receiver


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.server.stop()


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files in the order in which they were sent."""
    sent: list[str] = []
    for method in ("append", "replace"):
        original: Callable[..., None] = getattr(Receiver, method)

        def spy(
            self: Receiver, path: str, *args: Any, _do: Callable[..., None] = original, **kw: Any
        ) -> None:
            sent.append(path)
            _do(self, path, *args, **kw)

        monkeypatch.setattr(Receiver, method, spy)
    return sent
