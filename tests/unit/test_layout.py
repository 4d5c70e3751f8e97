"""The house keeps its shape: nothing shadows the standard library, no file outgrows a reader."""

import ast
import sys
from pathlib import Path

import pytest

from vppo_core.spec.fields import leaves

ROOT = Path(__file__).parents[2]
IMPORT_ROOTS = (ROOT, ROOT / "services", ROOT / "operator")
PYTHON_ROOMS = ("vppo_core", "services", "operator")
FILES = [path for room in PYTHON_ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
MAX_LINES = 300


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("room", ["services", "operator", "charts", "helm", "tests"])
def test_room_is_a_folder_not_a_package(room: str) -> None:
    assert not (ROOT / room / "__init__.py").exists(), (
        f"{room}/__init__.py would make `import {room}` mean our folder; delete it"
    )


def test_no_package_at_an_import_root_shadows_the_standard_library() -> None:
    names = {path.parent.name for root in IMPORT_ROOTS for path in root.glob("*/__init__.py")}
    names |= {path.stem for root in IMPORT_ROOTS for path in root.glob("*.py")}
    assert not names & sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_file_fits_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_module_is_named_after_what_it_does(path: Path) -> None:
    grab_bags = {"utils", "util", "common", "misc", "helpers"}
    assert not grab_bags & {*path.relative_to(ROOT).parent.parts, path.stem}


@pytest.mark.parametrize("folder", ["docs", "examples", "scripts"])
def test_no_drawer_at_the_top(folder: str) -> None:
    assert not (ROOT / folder).exists()


def test_the_front_door_is_there() -> None:
    assert (ROOT / "README.md").read_text().strip()


def test_every_package_says_what_it_is() -> None:
    packages = [path for path in FILES if path.name == "__init__.py"]
    silent = [relative(path) for path in packages if not ast.get_docstring(_parsed(path))]
    assert silent == []


def test_every_field_of_the_spec_is_read_by_the_engine() -> None:
    readers = [path for path in FILES if not path.is_relative_to(ROOT / "vppo_core" / "spec")]
    read = {
        node.attr
        for path in readers
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Attribute)
    }
    idle = [".".join(leaf.path) for leaf in leaves() if leaf.name not in read]
    assert idle == [], "a field that nothing reads is a promise that nobody keeps"


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))
