"""Counters and histograms, rendered in the Prometheus text exposition format 0.0.4.

A metric's name here is its name in ports in snake case between ``ohlcache_`` and its unit: ``CacheError`` is
``ohlcache_cache_error_total``; one measured in seconds is a histogram, ``HttpSeconds`` is ``ohlcache_http_seconds``.
The four metrics that alert are rendered from the first moment, at 0: an absent series cannot alarm.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

from ohlcache.ports import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ALERTING = (
    Metric.CACHE_ERROR,
    Metric.CIRCUIT_BREAKER_OPEN,
    Metric.CACHE_PAGINATION_TRUNCATION,
    Metric.UNPROCESSED_WRITE_ITEMS,
)

BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From a memory hit to the longest request; 0.1 and 2.5 are the budgets of a hit and a miss."""

HELP = {
    Metric.CACHE_ERROR: "Store failures that a request went around.",
    Metric.CIRCUIT_BREAKER_OPEN: "Times the circuit breaker of the store opened.",
    Metric.CACHE_PAGINATION_TRUNCATION: "Store reads that came back cut off and counted as incomplete.",
    Metric.UNPROCESSED_WRITE_ITEMS: "Items that the store still refused after every retry.",
    Metric.REQUESTS: "Answered requests, by tier.",
    Metric.REQUEST_FAILURES: "Requests that ended in an error, by code.",
    Metric.VENDOR_CALLS: "Calls made to a vendor, by source and outcome.",
    Metric.VENDOR_SECONDS: "How long vendor calls took, by source.",
    Metric.SHARED_FETCHES: "Requests that waited for a fetch of another, by scope.",
    Metric.STALE_ANSWERS: "Answers given from older data because the vendor was down.",
    Metric.CORRUPT_CHUNKS: "Stored values that could not be decoded and were ignored.",
    Metric.VENDOR_ROWS_REJECTED: "Rows of vendors' replies that cannot be true and were left out.",
    Metric.HTTP_SECONDS: "How long HTTP requests took, by route and status.",
}


def exposed_name(metric: Metric) -> str:
    """Return the name of ``metric`` in the exposition: snake case, a counter's with ``_total``."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", metric.value).lower()
    return f"ohlcache_{snake}" if _is_histogram(metric) else f"ohlcache_{snake}_total"


def _is_histogram(metric: Metric) -> bool:
    return metric.value.endswith("Seconds")


@dataclass(slots=True)
class _Histogram:
    """Observations by bucket; the last bucket takes what lies above every limit."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    total: float = 0.0


class MetricRegistry:
    """Everything counted since the process started; any thread may count."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[tuple[Metric, Labels], float] = {(metric, ()): 0.0 for metric in ALERTING}
        self._histograms: dict[tuple[Metric, Labels], _Histogram] = {}

    def count(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Add ``value`` to the counter of ``metric`` and ``labels``."""
        key = (metric, tuple(sorted(labels.items())))
        with self._lock:
            self._counters[key] = self._counters.get(key, 0.0) + value

    def observe(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Put ``value``, in seconds, into the histogram of ``metric`` and ``labels``."""
        key = (metric, tuple(sorted(labels.items())))
        with self._lock:
            histogram = self._histograms.get(key)
            if histogram is None:
                histogram = self._histograms[key] = _Histogram()
            histogram.buckets[bisect_left(BUCKETS_SECONDS, value)] += 1
            histogram.total += value

    def value(self, metric: Metric, **labels: str) -> float:
        """Return what the counter of ``metric`` and exactly these ``labels`` stands at."""
        with self._lock:
            return self._counters.get((metric, tuple(sorted(labels.items()))), 0.0)

    def render(self) -> str:
        """Return the exposition: metrics and their series in a stable order."""
        with self._lock:
            counters = sorted(self._counters.items())
            histograms = [
                (key, list(histogram.buckets), histogram.total) for key, histogram in sorted(self._histograms.items())
            ]
        lines: list[str] = []
        for metric in sorted({key[0] for key, _ in counters}):
            lines += _heading(metric, "counter")
            name = exposed_name(metric)
            lines += [f"{name}{_braced(key[1])} {_number(value)}" for key, value in counters if key[0] is metric]
        for metric in sorted({key[0] for key, _, _ in histograms}):
            lines += _heading(metric, "histogram")
            for key, buckets, total in histograms:
                if key[0] is metric:
                    lines += _series(metric, key[1], buckets, total)
        return "\n".join(lines) + "\n"


def _heading(metric: Metric, kind: str) -> list[str]:
    name = exposed_name(metric)
    return [f"# HELP {name} {HELP[metric]}", f"# TYPE {name} {kind}"]


def _series(metric: Metric, labels: Labels, buckets: list[int], total: float) -> Iterator[str]:
    name = exposed_name(metric)
    limits = [*(_number(limit) for limit in BUCKETS_SECONDS), "+Inf"]
    for limit, count in zip(limits, accumulate(buckets), strict=True):
        yield f"{name}_bucket{_braced((*labels, ('le', limit)))} {count}"
    yield f"{name}_sum{_braced(labels)} {_number(total)}"
    yield f"{name}_count{_braced(labels)} {sum(buckets)}"


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
