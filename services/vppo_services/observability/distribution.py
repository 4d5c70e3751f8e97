"""A histogram of Prometheus that takes whole arrays: counts by numpy, and a true sum."""

import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from vppo_core.catalogue import Metric as Entry


class Distribution(Collector):
    """One histogram without labels. Safe to use from several threads."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._bounds = np.array(entry.buckets, dtype=np.float64)
        self._counts = np.zeros(len(entry.buckets) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, values: npt.ArrayLike) -> int:
        """Add every value of an array of any shape.

        Returns:
            How many were not finite, which are left out.
        """
        flat = np.asarray(values, dtype=np.float64).ravel()
        finite = flat[np.isfinite(flat)]
        # Bucket i holds bounds[i - 1] < value <= bounds[i]; the last one is the rest.
        buckets = np.searchsorted(self._bounds, finite, side="left")
        counts = np.bincount(buckets, minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(finite.sum())
        return len(flat) - len(finite)

    def collect(self) -> Iterator[Metric]:
        """The histogram as it is scraped."""
        with self._lock:
            counts, total = np.cumsum(self._counts).tolist(), self._sum
        bounds = [*map(floatToGoString, self._entry.buckets), "+Inf"]
        yield HistogramMetricFamily(
            self._entry.name,
            self._entry.help,
            buckets=list(zip(bounds, map(float, counts), strict=True)),
            sum_value=total,
        )
