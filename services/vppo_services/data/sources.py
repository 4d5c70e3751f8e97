"""Opens a data set in any of its forms and says before anything starts what is wrong with it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from vppo_core.errors import InvalidDataError
from vppo_core.spec.data import DataSpec
from vppo_services.data.cells import row_of
from vppo_services.data.remote import fetch, has_scheme
from vppo_services.data.rows import Row, RowSource
from vppo_services.data.table_hash import table_fingerprint
from vppo_services.data.tables import ArrowTable, LinesTable, ListTable, Table, TableError

FORMS: Final = (
    "a .parquet, .jsonl, .json or .csv file, a folder of Parquet files, a folder of images with "
    "metadata.jsonl or metadata.csv, or a Hugging Face id"
)
OPTIONS: Final = ("split", "config", "revision")
ID_COLUMNS: Final = ("id", "uid", "qid")
IMAGE_COLUMNS: Final = ("images", "image", "file_name", "file_names")
SPLITS: Final = ("train", "validation", "valid", "val", "dev", "test")

_READERS: Final[dict[str, Callable[[Path], Table]]] = {
    ".parquet": lambda path: ArrowTable.of_parquet([path]),
    ".jsonl": LinesTable,
    ".ndjson": LinesTable,
    ".csv": ListTable.of_csv,
}
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def read_rows(spec: DataSpec, source: str) -> RowSource:
    """The rows of `source`, read one by one as they are asked for.

    `?split=test` chooses a split of a folder or of a Hugging Face data set (default `train`);
    `&config=` and `&revision=` choose more of the latter. A row's uid is its column `id`, `uid` or
    `qid`, where there is one, else its number; uids never repeat.

    Raises:
        InvalidDataError: nothing there, not readable, wrong columns, or no rows; one sentence that
            names the field of the spec.
    """
    is_validation = source == spec.validation_source and source != spec.source
    where = f"data.{'validationSource' if is_validation else 'source'} '{source}'"
    try:
        table, base = _open(source)
    except (TableError, OSError, ValueError, ImportError) as error:
        raise InvalidDataError(f"{where} cannot be read: {error}; give {FORMS}") from error
    if not len(table):
        raise InvalidDataError(f"{where} must have rows, got none; fill it or name another")
    return _TableRows(table, base, spec, _check_columns(where, table.columns, spec))


class _TableRows:
    """Records of a table as rows."""

    def __init__(self, table: Table, base: str, spec: DataSpec, images_key: str) -> None:
        self._table = table
        self._base = base
        self._spec = spec
        self._images_key = images_key
        self._id_column = next((name for name in ID_COLUMNS if name in table.columns), "")
        self._ids_repeat = bool(self._id_column) and _repeat(list(table.values(self._id_column)))

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Row:
        if not 0 <= index < len(self._table):
            raise IndexError(f"row must be below {len(self._table)}, got {index}")
        record = self._table.record(index)
        return row_of(
            self._uid(index, record.get(self._id_column)),
            record,
            self._spec,
            self._images_key,
            self._base,
        )

    def fingerprint(self) -> str:
        return table_fingerprint(self._table)

    def _uid(self, index: int, value: object) -> str:
        if value is None:
            return f"#{index}" if self._id_column else str(index)
        return f"{value}#{index}" if self._ids_repeat else str(value)


def _open(source: str) -> tuple[Table, str]:
    """The table, and the folder that paths in it are relative to."""
    address, options = _split_options(source)
    if has_scheme(address) and not address.startswith("file://"):
        if options:
            raise ValueError(f"a single file has no {', '.join(options)}")
        copy = fetch(address)
        return _open_file(copy), address.rpartition("/")[0]
    path = Path(unquote(urlsplit(address).path) if has_scheme(address) else address).expanduser()
    if path.is_file():
        if options:
            raise ValueError(f"a single file has no {', '.join(options)}")
        return _open_file(path), str(path.absolute().parent)
    if path.is_dir():
        return _open_folder(path, options), str(path.absolute())
    if has_scheme(address) or not _HUB_ID.fullmatch(address) or path.suffix in _READERS:
        raise FileNotFoundError("no such file or folder")
    try:
        return ArrowTable.of_hub(
            address,
            split=options.get("split", "train"),
            config=options.get("config", ""),
            revision=options.get("revision", ""),
        ), ""
    except TableError as error:
        raise TableError(f"no such path here, and as a Hugging Face id: {error}") from error


def _split_options(source: str) -> tuple[str, dict[str, str]]:
    address, mark, query = source.rpartition("?")
    if not mark or Path(source).exists():
        return source, {}
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not options or not all(options.values()) or options.keys() - set(OPTIONS):
        allowed = ", ".join(f"{name}=NAME" for name in OPTIONS)
        raise ValueError(f"after '?' may stand {allowed}, got '{query}'")
    return address, options


def _open_file(path: Path) -> Table:
    if path.suffix == ".json":
        with path.open("rb") as file:
            is_list = file.read(64).lstrip().startswith(b"[")
        return ListTable.of_json(path) if is_list else LinesTable(path)
    if path.suffix not in _READERS:
        raise TableError(f"its ending '{path.suffix}' is not known")
    return _READERS[path.suffix](path)


def _open_folder(folder: Path, options: dict[str, str]) -> Table:
    for name in ("metadata.jsonl", "metadata.csv"):
        if (folder / name).is_file():
            return _open_file(folder / name)
    files = sorted(f for f in folder.rglob("*.parquet") if not f.name.startswith("."))
    if not files:
        raise TableError("the folder has neither .parquet files nor metadata.jsonl or metadata.csv")
    return ArrowTable.of_parquet(_of_split(files, folder, options.get("split", "")))


def _of_split(files: Sequence[Path], folder: Path, split: str) -> list[Path]:
    """Files of one split, by file or folder name, as the hub lays them out."""
    splits = {file: _split_name(file, folder) for file in files}
    if split:
        chosen = [file for file in files if splits[file] == split]
        if not chosen:
            raise TableError(f"no file or folder of it is named after split '{split}'")
        return chosen
    found = sorted({name for name in splits.values() if name in SPLITS})
    if len(found) > 1:
        raise TableError(
            f"it holds the splits {', '.join(found)}; choose one by '?split={found[0]}' at its end"
        )
    return list(files)


def _split_name(file: Path, folder: Path) -> str:
    parents = [part for part in file.relative_to(folder).parts[:-1] if part in SPLITS]
    return parents[-1] if parents else re.split(r"[-_.]", file.stem)[0]


def _check_columns(where: str, columns: Sequence[str], spec: DataSpec) -> str:
    """Name of the column with the images; it need not exist in a set of plain questions."""
    have = ", ".join(columns) or "none"
    for key, field in ((spec.problem_key, "problemKey"), (spec.answer_key, "answerKey")):
        if key not in columns:
            raise InvalidDataError(
                f"{where} must have a column '{key}', got the columns {have}; "
                f"set data.{field} to the right one"
            )
    if spec.images_key in columns:
        return spec.images_key
    if "file_name" in columns and spec.images_key == "images":
        return "file_name"
    likely = next((f"'{name}'" for name in IMAGE_COLUMNS if name in columns), "")
    if likely or spec.images_key != DataSpec.model_fields["images_key"].default:
        raise InvalidDataError(
            f"{where} must have a column '{spec.images_key}', got the columns {have}; "
            f"set data.imagesKey to {likely or 'the right one'}"
        )
    return spec.images_key


def _repeat(values: Sequence[object]) -> bool:
    names = [str(value) for value in values if value is not None]
    return len(set(names)) < len(names)
