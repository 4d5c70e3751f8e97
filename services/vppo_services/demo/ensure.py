"""Turns `demo://...` into a local path; what is missing is made, once, in the user's cache."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Final

from vppo_core.errors import InvalidDataError
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.demo.dataset import SPLITS, write_split
from vppo_services.demo.model import FAMILIES, Family, build_model
from vppo_services.demo.warm_start import warm_start

SCHEME: Final = "demo://"
CACHE_VARIABLE: Final = "VPPO_CACHE"
# Their text is the recipe: a changed line makes a new version, and nothing stale is ever used.
RECIPE_FILES: Final = ("task.py", "dataset.py", "tokenizer.py", "model.py", "warm_start.py")

Progress = Callable[[str, int, int], None]
Build = Callable[[Path, Callable[[int, int], None]], None]


def is_demo(source: str) -> bool:
    """Whether a source of a model or data set is one of the demo's."""
    return source.startswith(SCHEME)


def names() -> list[str]:
    """Every source that exists, models first; `-untrained` ones are for tests and smoke runs."""
    return [SCHEME + name for name in _BUILDS]


def resolve(source: str, on_progress: Progress | None = None) -> str:
    """The local folder of a demo model or file of a demo split; any other source unchanged.

    The first call for a name makes it, which takes about a minute for a trained model and a second
    for the rest. Two processes at once make it once.

    Args:
        source: `demo://NAME`; `demo://colours` means its `train` split.
        on_progress: called with (source, done, total) while something is made.

    Raises:
        InvalidDataError: no such name, or the cache cannot be written.
    """
    if not is_demo(source):
        return source
    name = source.removeprefix(SCHEME).removesuffix("?split=train")
    if name not in _BUILDS:
        raise InvalidDataError(
            f"a demo source must be one of {', '.join(names())}, got '{source}'; "
            "correct model.source or data.source"
        )
    report = on_progress or (lambda *_: None)
    return str(_made(name, lambda done, total: report(source, done, total)))


def resolve_job(spec: VPPOJobSpec, on_progress: Progress | None = None) -> VPPOJobSpec:
    """The same job with local paths for every `demo://` source of its model and data."""
    model = {"source": resolve(spec.model.source, on_progress)}
    data = {
        "source": resolve(spec.data.source, on_progress),
        "validation_source": resolve(spec.data.validation_source, on_progress),
    }
    update = {
        "model": spec.model.model_copy(update=model),
        "data": spec.data.model_copy(update=data),
    }
    return spec.model_copy(update=update)


def cache_folder() -> Path:
    """`$VPPO_CACHE`, or `.cache/vppo` in the home folder; what the recipe made lies in `demo/`."""
    given = os.environ.get(CACHE_VARIABLE)
    return (Path(given) if given else Path.home() / ".cache" / "vppo").expanduser().absolute()


@cache
def recipe_version() -> str:
    """Twelve hexadecimal digits that change with anything that shapes the models or the data."""
    digest = hashlib.sha256()
    for name in RECIPE_FILES:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:12]


def _made(name: str, on_progress: Callable[[int, int], None]) -> Path:
    build, file_name = _BUILDS[name]
    folder = cache_folder() / "demo" / recipe_version() / name.replace("?split=", "-")
    if not folder.exists():
        try:
            _make(folder, build, file_name, on_progress)
        except OSError as error:
            raise InvalidDataError(
                f"the cache of demo models and data must be writable, got '{folder.parent}' with "
                f"{type(error).__name__}: {error.strerror or error}; "
                f"set {CACHE_VARIABLE} to a folder with 20 MB of free space"
            ) from error
    return folder / file_name


def _make(
    folder: Path, build: Build, file_name: str, on_progress: Callable[[int, int], None]
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder.with_name(f".{folder.name}.lock")):
        if folder.exists():
            return
        partial_folder = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial_folder, ignore_errors=True)
        partial_folder.mkdir()
        build(partial_folder / file_name, on_progress)
        for path in partial_folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        partial_folder.rename(folder)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build_untrained(family: Family, folder: Path, on_progress: Callable[[int, int], None]) -> None:
    build_model(family, folder)
    on_progress(1, 1)


def _build_trained(family: Family, folder: Path, on_progress: Callable[[int, int], None]) -> None:
    build_model(family, folder)
    warm_start(folder, on_progress=on_progress)


def _build_split(split: str, path: Path, on_progress: Callable[[int, int], None]) -> None:
    write_split(path, split)
    on_progress(1, 1)


_BUILDS: Final[dict[str, tuple[Build, str]]] = {
    **{family: (partial(_build_trained, family), "model") for family in FAMILIES},
    **{f"{family}-untrained": (partial(_build_untrained, family), "model") for family in FAMILIES},
    **{
        "colours" if split == "train" else f"colours?split={split}": (
            partial(_build_split, split),
            f"{split}.parquet",
        )
        for split in SPLITS
    },
}
