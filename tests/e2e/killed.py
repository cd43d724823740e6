"""Processes that fetch and store are killed while they do, by the hundred; what they leave behind must be sound.

``python tests/e2e/killed.py --store sqlite --kills 1000`` (or ``--store ministack``, ``--store dynalite``: real DynamoDB
engines). In every round some processes open one store together and fetch, until SIGKILL ends each at a moment of its own.
Then another process asks for everything that they had asked for. It must get it whole and equal to the market, from a store in
which every chunk can be read and is true, and no lease may keep it waiting longer than a holder is waited for.
Exits with 0 when all of that held; prints the seed to replay with.
"""

# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from adapters.sqlite_processes import forked, succeeded
from contracts.dynamodb_engines import CREDENTIALS, REGION, SERVERS, EngineServer
from ohlcache.adapters import aws_clients
from ohlcache.adapters.stores.dynamodb_schema import create_table
from ohlcache.assembly import build_cache, build_clock
from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.ports import Metric
from ohlcache.service import guarded_store
from ohlcache.settings import load_settings
from ohlcache.testing import FakeVendor, Market, RecordingTelemetry
from ohlcache.testing.clock import instant_of
from ohlcache.testing.market import Stock

if TYPE_CHECKING:
    from ohlcache.domain.request import CandleRequest
    from ohlcache.service.read_through import ReadThrough

SATURDAY = instant_of("2024-06-08T14:00:00Z")
EVERYTHING = Span(date(1990, 1, 2), date(2024, 6, 7))
PROCESSES = {"sqlite": 10, "dynamodb": 4}
"""How many at once; an emulator answers more slowly than any DynamoDB does, the more who ask."""
ASKING_AT_ONCE = 4
TICKERS_EACH = 3
ASKED = (("5Y", "D"), ("1W", "5"))
LEASE_SECONDS = 40.0
"""So much later, by the clock, a round begins after the last: what was leased then is free."""
AT_ONCE_EVERY = 5
"""In one round of so many the leases of the dead are still running when the next process asks."""
WAIT_SECONDS_MAX = {"sqlite": 10.0, "dynamodb": 20.0}
"""A holder is waited for twice 3 s; the rest is for the work itself, on a busy machine, and less than a lease's 30 s."""
ROUNDS_PER_FILE = 10
EMULATOR_SECONDS_MAX = 20.0
STAGES = {0: "before the store was open", 1: "during the first fetch"}


@dataclass(frozen=True)
class Place:
    """Where the chunks go: a folder for SQLite, or a table on an engine."""

    folder: Path
    engine: EngineServer | None

    @property
    def kind(self) -> str:
        return "sqlite" if self.engine is None else "dynamodb"

    def settings(self, number: int, began: float) -> Any:
        """Return the settings of the processes of a round."""
        where: dict[str, object] = {"store": "sqlite", "data_dir": self.file(number).parent}
        if self.engine is not None:
            where = {
                "store": "dynamodb",
                "table": "killed",
                "aws_region": REGION,
                "dynamodb_endpoint_url": self.engine.url,
            }
        return load_settings(
            source="tiingo",
            tiingo_api_key="k" * 20,
            clock=datetime.fromtimestamp(began, UTC),
            retention_days=0,  # an engine that sweeps does so by the real clock, by which 90 days from then are over
            **where,
        )

    def file(self, number: int) -> Path:
        return self.folder / f"{number // ROUNDS_PER_FILE}" / "ohlcache.db"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=["sqlite", *SERVERS], default="sqlite")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    wishes = parser.parse_args()
    print(f"seed {wishes.seed}", flush=True)
    os.environ.update(CREDENTIALS)  # noqa: TID251 - the children's
    aws_clients.READ_TIMEOUT_SECONDS = EMULATOR_SECONDS_MAX
    guarded_store.STORE_SECONDS_MAX = EMULATOR_SECONDS_MAX
    engine = SERVERS[wishes.store]() if wishes.store != "sqlite" else None
    with tempfile.TemporaryDirectory() as folder:
        try:
            if engine is not None:
                engine.start()
                assert succeeded(forked(partial(make_table, engine.url)))
            return kill(Place(Path(folder), engine), wishes.kills, random.Random(wishes.seed))
        finally:
            if engine is not None:
                engine.kill()


async def make_table(url: str) -> None:
    await asyncio.to_thread(create_table, "killed", region=REGION, endpoint_url=url)


def kill(place: Place, kills: int, chance: random.Random) -> int:
    """Kill processes at random moments, and look at what they left; return 0 when all was well."""
    began, stages, killed, answers, slowest = time.monotonic(), Counter[str](), 0, 0, 0.0
    span = 0.5
    processes = PROCESSES[place.kind]
    rounds = -(-kills // processes)
    for number in range(rounds):
        writers = [Writer(place, number, each) for each in range(min(processes, kills - killed))]
        moments = sorted((chance.uniform(0, span), writer) for writer in writers)
        started = time.monotonic()
        for moment, writer in moments:
            time.sleep(max(0.0, started + moment - time.monotonic()))
            stages[writer.killed()] += 1
        killed += len(writers)
        # Most shall die at work: a round that was over too soon, or had hardly begun, moves the span of the next.
        done = max(writer.told for writer in writers)
        factor = 0.8 if done >= len(ASKED) * TICKERS_EACH else 1.1 if done else 1.6
        span = min(20.0, max(0.1, span * factor))
        receiving, sending = os.pipe()
        tickers = [ticker for writer in writers for ticker in writer.tickers[: max(1, writer.told // len(ASKED) + 1)]]
        if not succeeded(forked(partial(check, place, number, tickers, sending))):
            print(f"FAILED in round {number}, after {killed} kills: {dict(stages)}")
            return 1
        os.close(sending)
        with os.fdopen(receiving) as told:
            count, seconds = told.read().split()
        answers, slowest = answers + int(count), max(slowest, float(seconds))
        if number % 10 == 9:
            print(f"{killed} kills, {answers} answers, {time.monotonic() - began:.0f} s", flush=True)
    where = ", ".join(f"{count} {stage}" for stage, count in stages.most_common())
    print(f"{killed} kills ({where}); {answers} answers right, the slowest after {slowest:.1f} s: ok")
    return 0


class Writer:
    """A process that fetches until it is killed, and tells of every step through a pipe."""

    def __init__(self, place: Place, number: int, each: int) -> None:
        self.tickers = [ticker_of(number, each, which) for which in range(TICKERS_EACH)]
        self.told = 0
        self._receiving, sending = os.pipe()
        self._child = forked(partial(write_until_killed, place, number, self.tickers, sending))
        os.close(sending)

    def __lt__(self, other: Writer) -> bool:
        return self.tickers < other.tickers

    def killed(self) -> str:
        """Kill it and return what it was about."""
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        with os.fdopen(self._receiving, "rb") as pipe:
            steps = len(pipe.read())
        self.told = max(0, steps - 1)
        if self.told >= len(ASKED) * TICKERS_EACH:
            return "when all was done"
        return STAGES.get(steps, "during a later fetch")


def ticker_of(number: int, each: int, which: int) -> str:
    return f"K{number}.{each}-{which}"


def market_of(number: int) -> Market:
    """Return a market that knows the tickers of one round."""
    names = [ticker_of(number, each, which) for each in range(max(PROCESSES.values())) for which in range(TICKERS_EACH)]
    return Market(stocks={name: Stock("A Company", listed=date(2019, 1, 2)) for name in names})


async def opened(place: Place, number: int, began: float) -> tuple[ReadThrough, Market, RecordingTelemetry]:
    settings = place.settings(number, began)
    clock, telemetry, market = build_clock(settings), RecordingTelemetry(), market_of(number)
    cache = await build_cache(settings, telemetry=telemetry, clock=clock, vendors=[FakeVendor(market, clock)])
    return cache, market, telemetry


def requests_of(cache: ReadThrough, ticker: str) -> list[CandleRequest]:
    return [cache.parse(ticker, range=span, resolution=resolution, adjust="none") for span, resolution in ASKED]


async def write_until_killed(place: Place, number: int, tickers: list[str], tell: int) -> None:
    cache, _, _ = await opened(place, number, SATURDAY + number * LEASE_SECONDS)
    os.write(tell, b".")
    for ticker in tickers:
        for request in requests_of(cache, ticker):
            await cache.get(request)
            os.write(tell, b".")
    await asyncio.Event().wait()


async def check(place: Place, number: int, tickers: list[str], tell: int) -> None:
    """Ask for everything that the killed ones had asked for, and look at every chunk that is there then."""
    leased_still = number % AT_ONCE_EVERY == 0
    cache, market, telemetry = await opened(place, number, SATURDAY + (number + (not leased_still)) * LEASE_SECONDS)
    requests = [request for ticker in tickers for request in requests_of(cache, ticker)]
    at_once = asyncio.Semaphore(ASKING_AT_ONCE)
    took = await asyncio.gather(*(check_answer(cache, market, request, at_once) for request in requests))
    assert max(took) < WAIT_SECONDS_MAX[place.kind], f"a lock was stuck: {max(took):.1f} s"
    assert not telemetry.total(Metric.CACHE_ERROR), telemetry.text()
    store: Any = cache._store._store
    for ticker in tickers:
        for resolution in (Resolution.DAY, Resolution.MINUTES_5):
            chunks = await store.read(Series(ticker, "tiingo", resolution), EVERYTHING)
            assert chunks, f"nothing of {ticker} was kept"
            for chunk in chunks:
                days = chunk.holding.coverage.days.tolist()
                span = Span(date.fromordinal(days[0]), date.fromordinal(days[-1]))
                assert chunk.holding.candles == market.candles(ticker, resolution, span, SATURDAY), (
                    f"{chunk.name} is not true"
                )
    assert not telemetry.total(Metric.CORRUPT_CHUNKS)
    await cache.close()
    if place.engine is None:
        with closing(sqlite3.connect(place.file(number))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    os.write(tell, f"{len(requests)} {max(took)}".encode())


async def check_answer(cache: ReadThrough, market: Market, request: CandleRequest, at_once: asyncio.Semaphore) -> float:
    async with at_once:
        began = time.monotonic()
        answer = (await cache.get(request)).answer
        took = time.monotonic() - began
    assert answer.certificate.complete
    assert answer.adjustment is Adjustment.NONE
    assert answer.candles == market.candles(request.ticker, request.resolution, request.span, SATURDAY)
    return took


if __name__ == "__main__":
    sys.exit(main())
