"""The demo's questions as parquet, in the columns of ViRL39K: problem, answer, images."""

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vppo_services.demo.task import QUESTION, draw_picture

# Splits draw from different streams of one seed, so no picture is in two of them.
SPLITS: Final = {"train": 2000, "validation": 256}
STREAMS: Final = {"train": 1, "validation": 2, "warm_start": 3, "held_out": 4}
SCHEMA: Final = pa.schema(
    [
        ("problem", pa.string()),
        ("answer", pa.string()),
        ("images", pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
    ]
)


def stream(split: str, seed: int) -> np.random.Generator:
    """The generator of one split; no two splits share a number."""
    return np.random.Generator(np.random.Philox(key=[seed, STREAMS[split]]))


def rows(split: str, num_rows: int, seed: int) -> list[dict[str, Any]]:
    """`num_rows` rows of `problem`, `answer` and `images` with PNG bytes."""
    rng = stream(split, seed)
    made = []
    for index in range(num_rows):
        picture = draw_picture(rng)
        encoded = io.BytesIO()
        picture.image.save(encoded, format="PNG")
        image = {"bytes": encoded.getvalue(), "path": f"{split}-{index:05d}.png"}
        made.append({"problem": f"<image>{QUESTION}", "answer": picture.answer, "images": [image]})
    return made


def write_split(path: Path, split: str, *, num_rows: int | None = None, seed: int = 0) -> None:
    """Write one split as parquet: 2,000 rows for `train`, 256 for `validation`, or `num_rows`."""
    count = SPLITS[split] if num_rows is None else num_rows
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows(split, count, seed), schema=SCHEMA)
    pq.write_table(table, path, row_group_size=256)
