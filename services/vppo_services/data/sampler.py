"""The order in which rows are drawn: seeded, the same everywhere, and resumable at any row."""

from collections.abc import Mapping

import numpy as np

from vppo_core.batch.axes import LongArray
from vppo_core.errors import CheckpointError


class RowSampler:
    """Every row once per epoch, for ever; a function of (seed, epoch, position) and nothing else.

    Example:
        sampler = RowSampler(num_rows=1000, seed=0)
        for row, visit in sampler.next(16):
            prompt = factory.make(source[row], visit)
    """

    def __init__(self, num_rows: int, seed: int, shuffle: bool = True) -> None:
        """Start before the first row of epoch 0; without `shuffle` in the order of the source."""
        assert num_rows > 0, "a data set without rows is refused when it is opened"
        self._num_rows = num_rows
        self._seed = seed
        self._shuffle = shuffle
        self._epoch = 0
        self._position = 0
        self._order = self._order_of(0)

    @property
    def epoch(self) -> int:
        """How often the whole data set was drawn."""
        return self._epoch

    def next(self, n: int) -> list[tuple[int, int]]:
        """The next `n` rows as (row index, visit); `visit` counts earlier draws of that row."""
        drawn: list[tuple[int, int]] = []
        while len(drawn) < n:
            stop = min(self._num_rows, self._position + n - len(drawn))
            drawn += [(int(row), self._epoch) for row in self._order[self._position : stop]]
            self._position = stop
            if stop == self._num_rows:
                self._epoch, self._position = self._epoch + 1, 0
                self._order = self._order_of(self._epoch)
        return drawn

    def state(self) -> dict[str, int]:
        """Where the next row is drawn from, for a checkpoint."""
        return {"epoch": self._epoch, "position": self._position}

    def restore(self, state: Mapping[str, int]) -> None:
        """Go on from a checkpoint's `state()`.

        Raises:
            CheckpointError: the position lies outside of this data set.
        """
        epoch, position = int(state["epoch"]), int(state["position"])
        if epoch < 0 or not 0 <= position < self._num_rows:
            raise CheckpointError(
                f"a data cursor must lie within the data set's {self._num_rows} rows, got row "
                f"{position} of epoch {epoch}; resume with the data set the job was started with"
            )
        self._epoch, self._position = epoch, position
        self._order = self._order_of(epoch)

    def _order_of(self, epoch: int) -> LongArray:
        if not self._shuffle:
            return np.arange(self._num_rows, dtype=np.int64)
        # numpy promises the raw stream of a bit generator for ever, its permutation() not.
        bits = np.random.Philox(key=np.array([self._seed, epoch], dtype=np.uint64))
        return np.argsort(bits.random_raw(self._num_rows), kind="stable")
