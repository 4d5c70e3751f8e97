import base64
import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vppo_core.errors import InvalidDataError
from vppo_core.spec.data import DataSpec
from vppo_services.data.rows import BadRowError, Row, RowSource
from vppo_services.data.sources import read_rows

Png = Callable[..., bytes]
Records = list[dict[str, Any]]


def read(source: Path | str, **fields: Any) -> RowSource:
    return read_rows(DataSpec(source=str(source), **fields), str(source))


def rows_of(source: RowSource) -> list[Row]:
    return [source[index] for index in range(len(source))]


def parquet(path: Path, records: Records, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(records), path, **options)
    return path


def json_lines(path: Path, records: Sequence[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def question(index: int, **more: Any) -> dict[str, Any]:
    return {"problem": f"question {index}", "answer": f"{index}", **more}


@pytest.mark.parametrize("as_struct", [True, False], ids=["structs", "bytes"])
def test_parquet_rows_carry_their_images_unchanged(
    tmp_path: Path, png: Png, as_struct: bool
) -> None:
    raw = [png(20 + i, 20) for i in range(4)]
    cells = [{"bytes": item, "path": None} for item in raw] if as_struct else raw
    path = parquet(
        tmp_path / "train.parquet",
        [question(0, images=cells[:1]), question(1, images=cells[1:3]), question(2, images=[])],
    )

    rows = rows_of(read(path))

    assert [list(row.images) for row in rows] == [raw[:1], raw[1:3], []]
    assert [(row.uid, row.problem, row.answer) for row in rows] == [
        ("0", "question 0", "0"), ("1", "question 1", "1"), ("2", "question 2", "2"),
    ]  # fmt: skip


def test_a_data_set_saved_by_datasets_keeps_its_images_encoded(tmp_path: Path, png: Png) -> None:
    import datasets

    raw = png(30, 20, "green", "JPEG")
    features = datasets.Features(
        {
            "problem": datasets.Value("string"),
            "answer": datasets.Value("string"),
            "images": datasets.List(datasets.Image()),
        }
    )
    images = [{"bytes": raw, "path": None}]
    table = datasets.Dataset.from_list([question(0, images=images)], features=features)
    table.to_parquet(str(tmp_path / "train.parquet"))

    assert list(read(tmp_path)[0].images) == [raw]


def test_a_large_parquet_file_is_not_held_in_memory(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    records = [question(i, images=[noise.bytes(1_000_000)]) for i in range(100)]
    source = read(parquet(tmp_path / "train.parquet", records, row_group_size=10))
    del records
    before = pa.total_allocated_bytes()

    for index in (99, 3, 57):
        assert len(source[index].images[0]) == 1_000_000
    assert pa.total_allocated_bytes() - before < 10_000_000


def test_other_columns_are_named_by_the_spec(tmp_path: Path, png: Png) -> None:
    path = parquet(
        tmp_path / "a.parquet", [{"q": "how?", "gt": "1", "image": png(), "answer": "x"}]
    )

    row = read(path, problem_key="q", answer_key="gt", images_key="image")[0]

    assert (row.problem, row.answer, list(row.images)) == ("how?", "1", [png()])


def test_numbers_are_answers(tmp_path: Path) -> None:
    answers: list[object] = [3, 3.0, 0.25, "x", True]
    path = json_lines(tmp_path / "a.jsonl", [question(0, answer=answer) for answer in answers])
    source = read(path)

    assert [source[i].answer for i in range(4)] == ["3", "3", "0.25", "x"]
    with pytest.raises(BadRowError, match="answer must be text, got bool"):
        source[4]


def test_a_folder_of_parquet_is_one_data_set_in_file_order(tmp_path: Path) -> None:
    for part in (1, 0, 2):
        parquet(tmp_path / "data" / f"train-0000{part}-of-00003.parquet", [question(part)])

    assert [row.problem for row in rows_of(read(tmp_path))] == [f"question {i}" for i in range(3)]


def test_splits_of_a_folder_are_not_mixed(tmp_path: Path) -> None:
    parquet(tmp_path / "train-0.parquet", [question(0)])
    parquet(tmp_path / "test" / "0.parquet", [question(1)])

    assert [row.problem for row in rows_of(read(f"{tmp_path}?split=test"))] == ["question 1"]
    assert [row.problem for row in rows_of(read(f"{tmp_path}?split=train"))] == ["question 0"]
    with pytest.raises(InvalidDataError, match=r"splits test, train; choose one by '\?split=test'"):
        read(tmp_path)
    with pytest.raises(InvalidDataError, match="named after split 'dev'"):
        read(f"{tmp_path}?split=dev")


def test_json_lines_take_every_form_of_image(tmp_path: Path, png: Png) -> None:
    raw = png()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(raw)
    inline = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
    forms: list[Any] = [
        "pictures/a.png",
        str(tmp_path / "pictures" / "a.png"),
        (tmp_path / "pictures" / "a.png").as_uri(),
        ["pictures/a.png"],
        {"path": "pictures/a.png"},
        [{"bytes": None, "path": "pictures/a.png"}],
        inline,
    ]
    path = json_lines(tmp_path / "a.jsonl", [question(i, images=c) for i, c in enumerate(forms)])

    assert [list(row.images) for row in rows_of(read(path))] == [[raw]] * len(forms)


def test_a_json_file_may_hold_one_list(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps([question(0), 5]))
    source = read(tmp_path / "list.json")

    assert source[0].problem == "question 0"
    with pytest.raises(BadRowError, match="not a JSON object"):
        source[1]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_image_folder_is_read_by_its_metadata(tmp_path: Path, png: Png, kind: str) -> None:
    (tmp_path / "a.png").write_bytes(png())
    record = {"file_name": "a.png", "problem": "Größe, bitte?", "answer": "3"}
    if kind == "jsonl":
        json_lines(tmp_path / "metadata.jsonl", [record])
    else:
        out = io.StringIO()
        writer = csv.DictWriter(out, list(record))
        writer.writeheader()
        writer.writerow(record)
        (tmp_path / "metadata.csv").write_text(out.getvalue())

    row = read(tmp_path)[0]

    assert (row.problem, row.answer, list(row.images)) == ("Größe, bitte?", "3", [png()])


def test_a_file_behind_an_address_is_fetched_with_the_images_beside_it(png: Png) -> None:
    storage = fsspec.filesystem("memory")
    storage.pipe("/set/a.png", png())
    storage.pipe("/set/a.jsonl", json.dumps(question(0, images="a.png")).encode())
    assert list(read("memory://set/a.jsonl")[0].images) == [png()]

    storage.pipe("/set/a.jsonl", json.dumps(question(1)).encode())
    assert read("memory://set/a.jsonl")[0].problem == "question 1"


def test_a_file_address_is_a_path(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a b.jsonl", [question(0)])

    assert read(path.as_uri())[0].problem == "question 0"


@pytest.mark.parametrize("column", ["id", "uid", "qid"])
def test_rows_are_named_by_their_own_column(tmp_path: Path, column: str) -> None:
    records = [question(i, **{column: f"q-{i}"}) for i in range(3)]

    assert [row.uid for row in rows_of(read(json_lines(tmp_path / "a.jsonl", records)))] == [
        "q-0", "q-1", "q-2",
    ]  # fmt: skip


def test_names_that_repeat_get_the_row_number(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [question(i, id=name) for i, name in enumerate("aab")])

    assert [row.uid for row in rows_of(read(path))] == ["a#0", "a#1", "b#2"]


def test_rows_without_a_name_are_named_by_their_number(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a.jsonl", [question(0, id=4), question(1), question(2, id=None)])

    assert [row.uid for row in rows_of(read(path))] == ["4", "#1", "#2"]


def test_a_hub_name_gives_the_split_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[object] = []

    def load(name: str, /, **options: object) -> datasets.Dataset:
        asked.append((name, options))
        return datasets.Dataset.from_list([question(0)])

    monkeypatch.setattr(datasets, "load_dataset", load)

    assert read("chamber111/VPPO_ViRL39K_train")[0].problem == "question 0"
    read("a/b?split=test&config=all&revision=v1")
    assert asked == [
        ("chamber111/VPPO_ViRL39K_train", {"split": "train", "name": None, "revision": None}),
        ("a/b", {"split": "test", "name": "all", "revision": "v1"}),
    ]
