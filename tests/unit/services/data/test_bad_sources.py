import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vppo_core.errors import InvalidDataError
from vppo_core.spec.data import DataSpec
from vppo_services.data.rows import BadReason, BadRowError, RowSource
from vppo_services.data.sources import read_rows


def read(source: Path | str, **fields: Any) -> RowSource:
    return read_rows(DataSpec(source=str(source), **fields), str(source))


def json_lines(path: Path, records: Sequence[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def question(index: int, **more: Any) -> dict[str, Any]:
    return {"problem": f"question {index}", "answer": f"{index}", **more}


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

    pq.write_table(pa.Table.from_pylist([question(0)]), tmp_path / "b.parquet")
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
