"""Traces of requests for the memory tier: which key is asked for, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

KEYS = 20_000
REQUESTS = 200_000
ZIPF_EXPONENT = 0.9
SCAN_KEYS = 3_000
SCANS = 8
LOOP_KEYS = 1_500
DRIFT_STEPS = 40


def zipf(random: np.random.Generator, requests: int = REQUESTS) -> NDArray[np.int64]:
    """Return requests of which few keys get most."""
    weights = 1 / np.arange(1, KEYS + 1) ** ZIPF_EXPONENT
    bounds = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(bounds, random.random(requests)), KEYS - 1)


def zipf_with_scans(random: np.random.Generator) -> NDArray[np.int64]:
    """Return the same, now and then interrupted by somebody who goes through thousands of tickers once."""
    parts = []
    for scan, part in enumerate(np.array_split(zipf(random), SCANS)):
        parts += [part, KEYS + scan * SCAN_KEYS + np.arange(SCAN_KEYS)]
    return np.concatenate(parts)


def loop(random: np.random.Generator) -> NDArray[np.int64]:
    """Return a watchlist somewhat larger than the cache, gone through again and again, among other requests."""
    trace = np.where(random.random(REQUESTS) < 0.2, KEYS + zipf(random), np.arange(REQUESTS) % LOOP_KEYS)
    return trace.astype(np.int64)


def drift(random: np.random.Generator) -> NDArray[np.int64]:
    """Return Zipf requests whose favourites change: a twentieth of the ranks moves on at every step."""
    names = random.permutation(KEYS)
    parts = []
    for part in np.array_split(zipf(random), DRIFT_STEPS):
        parts.append(names[part])
        moved = random.choice(KEYS, KEYS // 20, replace=False)
        names[moved] = names[random.permutation(moved)]
        favourites = random.choice(100, 10, replace=False)
        newcomers = random.choice(KEYS, 10, replace=False)
        names[favourites], names[newcomers] = names[newcomers].copy(), names[favourites].copy()
    return np.concatenate(parts)


TRACES: dict[str, Callable[[np.random.Generator], NDArray[np.int64]]] = {
    "Zipf": zipf,
    "Zipf with scans": zipf_with_scans,
    "loop": loop,
    "drift": drift,
}
