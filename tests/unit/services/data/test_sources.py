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
from vppo_services.data.rows import BadReason, BadRowError, Row, RowSource
from vppo_services.data.sources import read_rows

Png = Callable[..., bytes]
Records = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPPO_CACHE", str(tmp_path_factory.mktemp("cache")))


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


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("nothing.png", BadReason.MISSING_IMAGE, id="no-file"),
        pytest.param("/dev/null", BadReason.MISSING_IMAGE, id="a-device"),
        pytest.param("http://example.org/a.png", BadReason.MISSING_IMAGE, id="the-web"),
        pytest.param("a\0b.png", BadReason.MISSING_IMAGE, id="no-path"),
        pytest.param("data:image/png;base64,???", BadReason.CORRUPT_IMAGE, id="broken-base64"),
        pytest.param("data:image/png,abc", BadReason.CORRUPT_IMAGE, id="not-base64"),
        pytest.param({"file": "a"}, BadReason.BAD_TYPE, id="mapping-without-either"),
        pytest.param([5], BadReason.BAD_TYPE, id="number"),
        pytest.param([None], BadReason.BAD_TYPE, id="list-of-nothing"),
    ],
)
def test_an_image_that_cannot_be_read_is_one_bad_row(
    tmp_path: Path, cell: object, reason: BadReason
) -> None:
    source = read(json_lines(tmp_path / "a.jsonl", [question(0, images=cell), question(1)]))

    with pytest.raises(BadRowError) as caught:
        source[0]
    assert caught.value.reason is reason
    assert source[1].problem == "question 1"


def test_damaged_lines_are_bad_rows_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps(question(0)).encode()
    lines = [good, b"", b"{ half", b"[1]", b'{"problem": "x"}', b"\xff\xfe", good]
    path.write_bytes(b"\n".join(lines))
    source = read(path)

    assert len(source) == 6
    assert source[0].problem == source[5].problem == "question 0"
    reasons = []
    for index in range(1, 5):
        with pytest.raises(BadRowError) as caught:
            source[index]
        reasons.append(caught.value.reason)
    assert reasons == [BadReason.UNREADABLE] * 2 + [BadReason.BAD_TYPE, BadReason.UNREADABLE]


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


@pytest.mark.parametrize("index", [-1, 1])
def test_a_row_outside_of_the_set_is_an_index_error(tmp_path: Path, index: int) -> None:
    with pytest.raises(IndexError):
        read(json_lines(tmp_path / "a.jsonl", [question(0)]))[index]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        pytest.param("a.parquet", b"nothing", "cannot be read", id="not-parquet"),
        pytest.param("a.parquet", b"", "cannot be read", id="empty-parquet"),
        pytest.param("a.jsonl", b"nothing\n", "none of the first 1 lines", id="not-json-lines"),
        pytest.param("a.jsonl", b"\n\n", "must have rows, got none", id="no-lines"),
        pytest.param("a.json", b"[1,", "not JSON", id="half-a-list"),
        pytest.param("a.json", b"[]", "must have rows, got none", id="empty-list"),
        pytest.param("a.csv", b"\xff\xfe\x00", "not CSV in UTF-8", id="not-csv"),
        pytest.param("a.csv", b"problem,answer\n", "must have rows, got none", id="header-only"),
        pytest.param("a.txt", b"x", "its ending '.txt' is not known", id="unknown-ending"),
    ],
)
def test_an_unreadable_file_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(InvalidDataError, match=sentence) as caught:
        read(path)
    assert str(caught.value).startswith(f"data.source '{path}'")
    assert "\n" not in str(caught.value)


def test_parquet_without_rows_is_refused_and_an_empty_part_passed_over(tmp_path: Path) -> None:
    schema = pa.schema([("problem", pa.string()), ("answer", pa.string())])
    pq.write_table(schema.empty_table(), tmp_path / "a.parquet")

    with pytest.raises(InvalidDataError, match="must have rows, got none"):
        read(tmp_path / "a.parquet")

    parquet(tmp_path / "b.parquet", [question(0)])
    assert len(read(tmp_path)) == 1


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        pytest.param("/nothing/here", "no such file or folder", id="path"),
        pytest.param("nothing.parquet", "no such file or folder", id="relative-path"),
        pytest.param("nothing/here/at/all", "no such file or folder", id="deep-path"),
        pytest.param("file:///nothing/here", "no such file or folder", id="file-address"),
        pytest.param("memory://nothing.jsonl", "no such file", id="address"),
        pytest.param(
            "https://example.org/a.jsonl", "scheme must be one of .* got 'https'", id="web"
        ),
        pytest.param(
            "a/b?part=x", r"after '\?' may stand split=NAME, .* got 'part=x'", id="option"
        ),
        pytest.param(
            "a/b?split", r"after '\?' may stand split=NAME, .* got 'split'", id="half-an-option"
        ),
    ],
)
def test_a_missing_source_is_one_sentence(source: str, sentence: str) -> None:
    with pytest.raises(InvalidDataError, match=sentence) as caught:
        read(source)
    assert "\n" not in str(caught.value)


def test_a_hub_name_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    with pytest.raises(InvalidDataError, match="and as a Hugging Face id: ") as caught:
        read("nobody/nothing?split=test")
    assert "\n" not in str(caught.value)


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


def test_an_image_path_of_a_hub_data_set_has_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    table = datasets.Dataset.from_list([question(0, images=["a.png"])])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: table)

    with pytest.raises(BadRowError, match="no folder that it could lie in"):
        read("a/b")[0]


@pytest.mark.parametrize(
    ("record", "fields", "sentence"),
    [
        pytest.param(
            {"question": "x", "answer": "1"},
            {},
            "must have a column 'problem', got the columns question, answer; set data.problemKey",
            id="problem",
        ),
        pytest.param(
            {"problem": "x", "gt": "1"}, {}, "column 'answer', .* set data.answerKey", id="answer"
        ),
        pytest.param(
            {"problem": "x", "answer": "1", "image": "a"},
            {},
            "column 'images', .* set data.imagesKey to 'image'",
            id="images-under-another-name",
        ),
        pytest.param(
            {"problem": "x", "answer": "1"},
            {"images_key": "photo"},
            "column 'photo', .* set data.imagesKey to the right one",
            id="images-key-without-column",
        ),
    ],
)
def test_wrong_columns_name_the_field_to_set(
    tmp_path: Path, record: dict[str, str], fields: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidDataError, match=sentence):
        read(json_lines(tmp_path / "a.jsonl", [record]), **fields)


def test_the_validation_source_is_named_as_such(tmp_path: Path) -> None:
    missing = str(tmp_path / "nothing.parquet")
    spec = DataSpec(source="a", validation_source=missing)

    with pytest.raises(InvalidDataError, match=r"data\.validationSource '.*nothing\.parquet'"):
        read_rows(spec, missing)
