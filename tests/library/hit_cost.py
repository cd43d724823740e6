"""How many times a bare await a repeated call takes, printed: run in a process of its own, where nothing measures."""

from __future__ import annotations

import asyncio
import math
from time import perf_counter
from typing import TYPE_CHECKING, Any

import ohlcache

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 40
CALLS = 1000


async def nothing(ticker: str, range: str, *, resolution: str) -> None:  # noqa: A002 - as in get
    """Do what no call can do less than."""


async def seconds(ask: Callable[..., Any]) -> float:
    """Return how long a round of calls takes."""
    started = perf_counter()
    for _ in range(CALLS):
        await ask("AAPL", "1Y", resolution="D")
    return perf_counter() - started


async def main() -> None:
    """Take the best round of each, in turns: it was disturbed least."""
    async with ohlcache.connect(source="sample", store="memory") as cache:
        hit = bare = math.inf
        for _ in range(ROUNDS):
            hit, bare = min(hit, await seconds(cache.get)), min(bare, await seconds(nothing))
    print(hit / bare)  # noqa: T201 - what was asked for


if __name__ == "__main__":
    asyncio.run(main())
