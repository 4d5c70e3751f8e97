import io

import pyarrow.parquet as pq
from PIL import Image

from vppo_services.demo.dataset import SCHEMA, rows, write_split
from vppo_services.demo.task import COLOURS


def test_a_split_has_the_columns_of_virl39k_and_real_png_images(tmp_path):
    path = tmp_path / "deep" / "train.parquet"
    write_split(path, "train", num_rows=5)
    table = pq.read_table(path)
    assert table.schema.equals(SCHEMA)
    row = table.to_pylist()[0]
    assert row["problem"].startswith("<image>")
    assert len(row["answer"].split()) == 4
    assert set(row["answer"].split()) <= set(COLOURS)
    assert len(row["images"]) == 1
    with Image.open(io.BytesIO(row["images"][0]["bytes"])) as image:
        assert (image.format, image.size) == ("PNG", (56, 56))


def test_splits_share_no_picture():
    train, validation = (
        {row["images"][0]["bytes"] for row in rows(split, 100, 0)}
        for split in ("train", "validation")
    )
    assert len(train) == len(validation) == 100
    assert not train & validation


def test_a_seed_makes_the_same_file_and_another_seed_another(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_split(tmp_path / name, "validation", num_rows=4, seed=seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()
