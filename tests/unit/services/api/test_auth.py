"""Token files: who is in them, and what is wrong with one."""

import asyncio
from pathlib import Path

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.api.auth import Access, Caller, TokenFile, hash_of, read_token_file

A, B = "a" * 16, "b" * 16


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tokens"
    path.write_text(text)
    return path


def test_callers_are_known_by_their_token(tmp_path: Path) -> None:
    path = written(tmp_path, f"\n# people\n{A} ada viewer,editor\n{B} bot@ci # nightly\n")
    tokens = read_token_file(path)

    async def ask() -> list[Caller | None]:
        return [await tokens.caller_of(token) for token in (A, B, "c" * 16, "", "\udcff")]

    assert asyncio.run(ask()) == [
        Caller("ada", ("viewer", "editor")),
        Caller("bot@ci", ("editor",)),
        None,
        None,
        None,
    ]


def test_tokens_are_not_kept(tmp_path: Path) -> None:
    tokens = read_token_file(written(tmp_path, f"{A} ada\n"))
    assert A not in repr(vars(tokens))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the token file must name a caller, got none"),
        ("# nobody\n", "the token file must name a caller, got none"),
        (f"{A}\n", "a line of the token file must be TOKEN NAME [GROUPS], got 1 words in line 1"),
        (f"{A} ada editor viewer\n", "a line of the token file must be TOKEN NAME [GROUPS], got 4"),
        ("short ada\n", "a token must have at least 16 characters, got 5 in line 1"),
        (f"{A} a/b\n", "a caller's name must be letters, digits and . _ @ -, got 'a/b' in line 1"),
        (f"{A} ada root\n", "a group must be 'viewer' or 'editor', got 'root' in line 1"),
        (f"{A} ada\n{A} bob\n", "a token must be of one caller, got it again in line 2"),
    ],
)
def test_a_wrong_token_file_is_refused_without_showing_tokens(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        read_token_file(written(tmp_path, text))
    assert str(caught.value).startswith(sentence)
    assert "; " in str(caught.value)
    assert A not in str(caught.value)


def test_a_token_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidSpecError, match="the token file must be readable"):
            read_token_file(path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidSpecError, match="not UTF-8 text"):
        read_token_file(tmp_path / "binary")


@pytest.mark.parametrize(
    ("groups", "verb", "may"),
    [
        (("viewer",), "list", True),
        (("viewer",), "watch", True),
        (("viewer",), "create", False),
        (("editor",), "create", True),
        (("editor",), "get", True),
        (("editor",), "impersonate", False),
        ((), "get", False),
        (("nobody", "viewer"), "get", True),
    ],
)
def test_groups_say_what_a_caller_may_do(groups: tuple[str, ...], verb: str, may: bool) -> None:
    assert Caller("ada", groups).may(Access(verb, "vppojobs")) is may


def test_another_authorizer_decides_for_its_callers() -> None:
    class FakeReview:
        known: dict[Access, bool] = {}  # noqa: RUF012

        def recall(self, caller: Caller, access: Access) -> bool | None:
            del caller
            return self.known.get(access)

        def ask(self, caller: Caller, access: Access) -> bool:
            del caller
            return access.namespace == "team"

        def refusal(self, caller: Caller, access: Access) -> str:
            return f"{caller.name} may not {access.verb}"

    caller = Caller("ada", authorizer=FakeReview())
    assert caller.may(Access("get", "vppojobs", "team"))
    assert not caller.may(Access("get", "vppojobs", "other"))
    FakeReview.known = {Access("get", "vppojobs", "team"): False}
    assert not caller.may(Access("get", "vppojobs", "team"))


def test_a_token_file_knows_the_hash_alone() -> None:
    tokens = TokenFile({hash_of(A): Caller("ada")})
    assert asyncio.run(tokens.caller_of(A)) == Caller("ada")
