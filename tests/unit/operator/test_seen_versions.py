"""What was seen is remembered by object and version, up to a number of them."""

import pytest

from vppo_operator import seen_versions
from vppo_operator.seen_versions import SeenVersions


def head(uid: str, version: str) -> dict[str, str]:
    return {"uid": uid, "resourceVersion": version}


def test_another_version_and_another_object_are_news() -> None:
    seen = SeenVersions()
    seen.note({"metadata": head("a", "1")})
    assert seen.has(head("a", "1"))
    assert not seen.has(head("a", "2"))
    assert not seen.has(head("b", "1"))


@pytest.mark.parametrize("nameless", [{}, head("", ""), head("a", ""), head("", "1")])
def test_what_has_no_version_is_always_news(nameless: dict[str, str]) -> None:
    seen = SeenVersions()
    seen.note({"metadata": nameless})
    assert not seen.has(nameless)


def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_versions, "REMEMBERED", 2)
    seen = SeenVersions()
    for version in "1213":
        seen.note({"metadata": head("a", version)})
    assert [seen.has(head("a", version)) for version in "123"] == [False, True, True]
