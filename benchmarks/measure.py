"""Measuring on a machine that others use too: short batches, in turns, and medians of ratios.

A batch is shorter than a scheduler's time slice, so the best of several was not interrupted; a round measures every
contestant once, one after the other, so whatever slows the machine down slows them alike; a figure is the median over
the rounds.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

BATCH_SECONDS = 0.001
BATCHES = 25
ROUNDS = 9

Contestant = TypeVar("Contestant")


def quiet(work: Callable[[], object], *, batches: int = BATCHES) -> float:
    """Return the seconds that one call takes when nobody interrupts it."""
    calls = 1
    while True:
        taken = _batch(work, calls)
        if taken >= BATCH_SECONDS or calls >= 1 << 16:
            break
        calls *= 2
    return min(_batch(work, calls) for _ in range(batches)) / calls


async def quiet_awaits(work: Callable[[], Awaitable[object]], *, batches: int = BATCHES) -> float:
    """Return the seconds that awaiting one call takes when nobody interrupts it."""
    calls = 1
    while True:
        taken = await _batch_of_awaits(work, calls)
        if taken >= BATCH_SECONDS or calls >= 1 << 16:
            break
        calls *= 2
    return min([await _batch_of_awaits(work, calls) for _ in range(batches)]) / calls


def in_turns(contestants: Sequence[Callable[[], float]], *, rounds: int = ROUNDS) -> list[list[float]]:
    """Return what each contestant measured of itself, round by round; every round goes through all of them."""
    figures: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for contestant, kept in zip(contestants, figures, strict=True):
            kept.append(contestant())
    return figures


async def in_turns_awaiting(
    contestants: Sequence[Callable[[], Awaitable[float]]], *, rounds: int = ROUNDS
) -> list[list[float]]:
    """Return the same for contestants that are awaited."""
    figures: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for contestant, kept in zip(contestants, figures, strict=True):
            kept.append(await contestant())
    return figures


def median(figures: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(figures)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios round by round: what both rounds suffered alike cancels."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def spread(figures: Sequence[float]) -> str:
    """Return the quartiles, for figures that are to be taken with care."""
    low, _, high = statistics.quantiles(figures, n=4)
    return f"{low:.3g}-{high:.3g}"


def _batch(work: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        work()
    return time.perf_counter() - started


async def _batch_of_awaits(work: Callable[[], Awaitable[object]], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        await work()
    return time.perf_counter() - started
