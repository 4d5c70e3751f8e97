from typing import Any

from vppo_services.data.rows import BadReason, BadRowError
from vppo_services.data.table_hash import table_fingerprint
from vppo_services.data.tables import ListTable, Record


class Reads:
    """A table of so many rows that counts which are read; row `bad` is damaged."""

    def __init__(self, count: int, bad: int = -1) -> None:
        self.columns = ["id"]
        self.read: list[int] = []
        self._count, self._bad = count, bad

    def __len__(self) -> int:
        return self._count

    def record(self, index: int) -> Record:
        self.read.append(index)
        if index == self._bad:
            raise BadRowError(str(index), BadReason.UNREADABLE, "no JSON")
        return {"id": index}

    def values(self, column: str) -> Any:
        raise NotImplementedError


def rows(**changed: Any) -> list[Record]:
    return [{"q": "how many?", "image": b"\x89PNG", "n": n} | changed for n in range(3)]


def test_equal_rows_have_one_hash_and_any_change_another() -> None:
    first = table_fingerprint(ListTable(rows()))
    assert first == table_fingerprint(ListTable(rows()))
    for other in (rows(q="how few?"), rows(image=b"\x89PNH"), rows()[:2], rows()[::-1]):
        assert table_fingerprint(ListTable(other)) != first


def test_of_a_large_set_rows_of_all_parts_are_read_and_not_many() -> None:
    table = Reads(1_000_000)
    table_fingerprint(table)
    assert len(table.read) == 257
    assert (table.read[0], table.read[-1]) == (0, 999_999)


def test_all_rows_of_a_small_set_are_read_and_a_damaged_one_counts_as_such() -> None:
    table = Reads(200, bad=7)
    assert table_fingerprint(table) != table_fingerprint(Reads(200))
    assert table.read == list(range(200))
