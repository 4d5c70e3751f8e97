"""Records of a data set by number, whatever file they lie in, read as they are asked for."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vppo_core.batch.axes import LongArray
from vppo_services.data.remote import cache_folder
from vppo_services.data.rows import BadReason, BadRowError

Record = dict[str, Any]

PEEK_LINES: Final = 20
"""Lines of a JSON lines file that are looked at to learn its columns."""


class TableError(ValueError):
    """A file that is not what its name says; the message says what is wrong with it."""


class Table(Protocol):
    """Numbered records with named columns."""

    columns: Sequence[str]
    """Names that a record may have."""

    def __len__(self) -> int:
        """Number of records."""
        ...

    def record(self, index: int) -> Record:
        """One record.

        Raises:
            BadRowError: this one is damaged.
        """
        ...

    def values(self, column: str) -> Iterable[Any]:
        """All values of a column, in order; None where a record has none."""
        ...


class ArrowTable:
    """Parquet files or a hub data set, as a memory-mapped Arrow file made by `datasets`."""

    def __init__(self, dataset: Any) -> None:
        """Wrap a `datasets.Dataset`."""
        self._dataset = dataset.with_format("arrow")  # as stored: images stay encoded
        self.columns: Sequence[str] = dataset.column_names

    @classmethod
    def of_parquet(cls, files: Sequence[Path]) -> Table:
        """The rows of all files, one after another; copied into the cache once.

        Raises:
            TableError: not Parquet, or of different columns.
        """
        names = [str(file) for file in files if _parquet_rows(file)]
        if not names:
            return ListTable([])
        return cls(_load("parquet", data_files=names, cache_dir=str(cache_folder() / "datasets")))

    @classmethod
    def of_hub(cls, name: str, *, split: str, config: str, revision: str) -> "ArrowTable":
        """A data set of the Hugging Face hub, or of its local cache.

        Raises:
            TableError: there is none of this name, configuration or split, or the hub is away.
        """
        return cls(_load(name, name=config or None, split=split, revision=revision or None))

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._dataset)

    def record(self, index: int) -> Record:
        """One row as plain Python values."""
        row: Record = self._dataset[index].to_pylist()[0]
        return row

    def values(self, column: str) -> Iterable[Any]:
        """All values of a column."""
        for table in self._dataset.select_columns([column]).iter(batch_size=4096):
            yield from table[column].to_pylist()


class LinesTable:
    """A JSON lines file; a damaged line is one bad row, not the end of the file."""

    def __init__(self, path: Path) -> None:
        """Note where each line begins.

        Raises:
            TableError: none of the first lines is a JSON object.
        """
        self._path = path
        self._offsets = _line_offsets(path)
        peeked = [self._parse(self._line(i)) for i in range(min(PEEK_LINES, len(self)))]
        objects = [record for record in peeked if record is not None]
        if peeked and not objects:
            raise TableError(f"none of the first {len(peeked)} lines is a JSON object")
        self.columns: Sequence[str] = list(dict.fromkeys(key for row in objects for key in row))

    def __len__(self) -> int:
        """Number of lines that are not blank."""
        return len(self._offsets)

    def record(self, index: int) -> Record:
        """The object on one line."""
        record = self._parse(self._line(index))
        if record is None:
            raise BadRowError(str(index), BadReason.UNREADABLE, "the line is not a JSON object")
        return record

    def values(self, column: str) -> Iterable[Any]:
        """All values of a column; None for damaged lines."""
        return ((self._parse(self._line(index)) or {}).get(column) for index in range(len(self)))

    def _line(self, index: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(int(self._offsets[index]))
            return file.readline()

    @staticmethod
    def _parse(line: bytes) -> Record | None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) else None


class ListTable:
    """Records already in memory: a CSV file, or a JSON file with one list."""

    def __init__(self, records: Sequence[Any]) -> None:
        """Wrap the records."""
        self._records = records
        rows = [record for record in records if isinstance(record, dict)]
        self.columns: Sequence[str] = list(dict.fromkeys(key for row in rows for key in row))

    @classmethod
    def of_csv(cls, path: Path) -> "ListTable":
        """Rows of a CSV file with a header line.

        Raises:
            TableError: not CSV.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return cls([{k: v for k, v in row.items() if k} for row in csv.DictReader(file)])
        except (csv.Error, UnicodeDecodeError) as error:
            raise TableError(f"not CSV in UTF-8: {error}") from error

    @classmethod
    def of_json(cls, path: Path) -> "ListTable":
        """Objects of a JSON file that holds one list.

        Raises:
            TableError: not JSON.
        """
        try:
            return cls(json.loads(path.read_bytes()))
        except (ValueError, RecursionError) as error:
            raise TableError(f"not JSON: {error}") from error

    def __len__(self) -> int:
        """Number of records."""
        return len(self._records)

    def record(self, index: int) -> Record:
        """One record."""
        record = self._records[index]
        if not isinstance(record, dict):
            raise BadRowError(str(index), BadReason.UNREADABLE, "the item is not a JSON object")
        return record

    def values(self, column: str) -> Iterable[Any]:
        """All values of a column."""
        return (row.get(column) if isinstance(row, dict) else None for row in self._records)


def _line_offsets(path: Path) -> LongArray:
    offsets, position = [], 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                offsets.append(position)
            position += len(line)
    return np.array(offsets, dtype=np.int64)


def _parquet_rows(file: Path) -> int:
    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{file.name} is not Parquet: {str(error).splitlines()[0]}") from error


def _load(path: str, **options: Any) -> Any:
    import datasets  # heavy, and needed by these two forms alone

    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(path, **{"split": "train", **options})
    except (
        OSError,
        ValueError,
        LookupError,
        RuntimeError,
        datasets.exceptions.DatasetsError,
    ) as error:
        cause = error.__cause__ or error
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise TableError(lines[0]) from error
