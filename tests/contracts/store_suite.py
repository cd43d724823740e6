"""What every store must do, whatever engine it runs on: subclass StoreContract and provide the fixture ``engine``.

An engine is an empty store seen through two instances, as two processes see it. ``test_stores`` holds the registry of
engines; a new one is a factory there: an asynchronous context manager that takes a folder and yields an Engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import Chunk, cell_start, cut
from ohlcache.domain.coverage import Coverage, Holding, SessionState, merge
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.ports import FailureNote, Lease, LeaseTaken, Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.ports import CandleStore, LeaseTable
    from ohlcache.testing.clock import FakeClock
    from ohlcache.testing.telemetry import RecordingTelemetry

AAPL = Series("AAPL", "tiingo", Resolution.DAY)
START = date(2024, 1, 2)
OBSERVED_AT = 4_102_400_000
KEY = "LOCK#AAPL#D#1W#2024-06-03"
NOW = 4_102_444_800.0
LIFE = 30.0
NOTE = FailureNote("quota_exceeded", "The allowance is used up.", "Wait.", 61.5)


@dataclass(frozen=True)
class Engine:
    """An empty store and its lease table, through two instances that share nothing but what is stored."""

    store: CandleStore
    leases: LeaseTable
    other: CandleStore
    other_leases: LeaseTable
    telemetry: RecordingTelemetry
    """That of ``store``."""
    clock: FakeClock
    """That of both; it stands at NOW."""
    corrupt: Callable[[Chunk], Awaitable[None]] | None = None
    """Spoils the stored bytes of a chunk, its key kept; None where an engine stores no bytes."""


EngineFactory = Callable[[Path], AbstractAsyncContextManager[Engine]]


def holding_of(
    first: date = START,
    sessions: int = 5,
    *,
    state: SessionState = SessionState.FINAL,
    observed_at: int = OBSERVED_AT,
    per_session: int = 1,
    seed: int = 0,
) -> Holding:
    """Return made-up candles of ``sessions`` weekdays from ``first`` on."""
    days = [day for day in (first + timedelta(days=offset) for offset in range(2 * sessions + 7)) if day.weekday() < 5]
    ordinals = np.array([day.toordinal() for day in days[:sessions]], np.int32)
    total = sessions * per_session
    random = np.random.default_rng(seed + int(ordinals[0]))
    close = np.round(100 + np.cumsum(random.normal(0, 1, total)), 2)
    time = (
        np.repeat(midnight_utc(0) + ordinals.astype(np.int64) * 86_400, per_session)
        + np.tile(np.arange(per_session) * 300 + (52_200 if per_session > 1 else 0), sessions)
    ).astype(np.int64)
    candles = Candles(time, close, close + 1, close - 1, close, random.integers(0, 2**40, total))
    coverage = Coverage(
        ordinals,
        np.full(sessions, state, np.uint8),
        np.full(sessions, observed_at, np.int64),
        np.full(sessions, per_session, np.int32),
    )
    return Holding(coverage, candles, Actions.from_rows([(int(ordinals[0]), 0.24, 1.0, float(close[0]))]))


def chunk_of(series: Series = AAPL, first: date = START, sessions: int = 5, **wishes: int) -> Chunk:
    """Return one chunk of made-up candles; ``sessions`` must lie in one cell."""
    wishes.setdefault("per_session", 1 if series.resolution.is_daily else 78)
    (chunk,) = cut(series, holding_of(first, sessions, **wishes))  # type: ignore[arg-type]
    return chunk


def names(chunks: Sequence[Chunk]) -> list[str]:
    return sorted(str(chunk.name) for chunk in chunks)


def same(chunk: Chunk, other: Chunk) -> bool:
    """Whether two chunks hold the same to the bit."""
    return (
        chunk.series == other.series
        and chunk.name == other.name
        and chunk.holding.candles == other.holding.candles
        and chunk.holding.actions == other.holding.actions
    )


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


YEAR = span("2024-01-01", "2024-12-31")


@pytest.mark.asyncio
class StoreContract:
    """The facts. Each test gets an empty ``engine``."""

    # --- chunks ------------------------------------------------------------------------------------------------

    async def test_an_empty_store_holds_nothing(self, engine: Engine) -> None:
        """Nothing written: nothing read, no tickers, nothing used."""
        assert list(await engine.store.read(AAPL, YEAR)) == []
        assert list(await engine.store.tickers()) == []
        usage = await engine.store.usage()
        assert (usage.chunks, usage.candles, usage.tickers) == (0, 0, 0)

    async def test_the_name_is_a_tier(self, engine: Engine) -> None:
        """The name is one of those that ``X-Cache-Source`` documents."""
        assert engine.store.name in {"memory", "sqlite", "dynamodb"}

    async def test_what_is_written_is_read_by_any_instance(self, engine: Engine) -> None:
        """What one instance wrote the other reads at once, identical to the bit (C12, B11, B12, F8)."""
        chunk = chunk_of()
        await engine.store.write([chunk])
        for store in (engine.store, engine.other):
            (read,) = await store.read(AAPL, YEAR, strongly=True)
            assert same(read, chunk)
            assert read.holding.coverage.observed_at.tolist() == chunk.holding.coverage.observed_at.tolist()
            assert read.holding.coverage.states.tolist() == chunk.holding.coverage.states.tolist()

    async def test_intraday_chunks_are_kept_too(self, engine: Engine) -> None:
        """A month of 5-minute candles comes back to the bit."""
        series = replace(AAPL, resolution=Resolution.MINUTES_5)
        chunk = chunk_of(series, sessions=20)
        await engine.store.write([chunk])
        (read,) = await engine.other.read(series, YEAR, strongly=True)
        assert same(read, chunk)

    async def test_a_chunk_that_begins_before_the_span_is_found(self, engine: Engine) -> None:
        """A span in the middle or at the end of a chunk finds it, as long as one session overlaps."""
        chunk = chunk_of(sessions=100)
        await engine.store.write([chunk])
        for first, last in (
            ("2024-03-01", "2024-03-01"),
            (str(chunk.last_day), "2024-12-31"),
            ("2023-06-01", str(START)),
        ):
            assert names(await engine.store.read(AAPL, span(first, last), strongly=True)) == names([chunk])

    async def test_chunks_outside_the_span_are_left_out(self, engine: Engine) -> None:
        """What ends before the span or begins after it is not read, in the same cell and in others."""
        inside = chunk_of(first=date(2024, 3, 4))
        outside = [
            chunk_of(first=day) for day in (date(2023, 3, 6), date(2024, 1, 2), date(2024, 3, 18), date(2025, 3, 3))
        ]
        await engine.store.write([inside, *outside])
        assert names(await engine.store.read(AAPL, span("2024-03-01", "2024-03-15"), strongly=True)) == names([inside])

    async def test_a_span_over_several_cells_reads_them_all(self, engine: Engine) -> None:
        """A range is read from all cells that it touches."""
        chunks = cut(AAPL, holding_of(date(2021, 6, 1), 800))
        assert len({cell_start(chunk.name.first_day, Resolution.DAY) for chunk in chunks}) == 4
        await engine.store.write(chunks)
        assert names(await engine.store.read(AAPL, span("2021-01-01", "2024-12-31"), strongly=True)) == names(chunks)
        assert names(await engine.store.read(AAPL, span("2022-02-01", "2023-02-01"), strongly=True)) == names(
            chunks[1:3]
        )

    async def test_several_chunks_of_one_cell_are_all_read(self, engine: Engine) -> None:
        """Overlapping chunks of one cell stand beside one another, forming ones too."""
        chunks = [
            chunk_of(sessions=10),
            chunk_of(first=date(2024, 1, 4), sessions=10, observed_at=OBSERVED_AT + 5),
            chunk_of(first=date(2024, 1, 18), sessions=1, state=SessionState.FORMING, observed_at=int(NOW)),
        ]
        await engine.store.write(chunks)
        assert names(await engine.store.read(AAPL, YEAR, strongly=True)) == names(chunks)

    async def test_writing_a_chunk_twice_changes_nothing(self, engine: Engine) -> None:
        """A rewrite, by either instance, is a no-op."""
        chunk = chunk_of()
        await engine.store.write([chunk])
        await engine.other.write([chunk])
        await engine.store.write([chunk, chunk])
        (read,) = await engine.store.read(AAPL, YEAR, strongly=True)
        assert same(read, chunk)
        usage = await engine.store.usage()
        assert (usage.chunks, usage.candles) == (1, 5)

    async def test_what_is_to_be_deleted_goes(self, engine: Engine) -> None:
        """``delete`` drops exactly the chunks named, whoever wrote them; one that is not there is no error."""
        old = [chunk_of(first=date(2024, 1, 8)), chunk_of(first=date(2024, 1, 15))]
        kept = chunk_of(first=date(2024, 2, 5))
        await engine.other.write([*old, kept])
        merged = Chunk(AAPL, merge([chunk.holding for chunk in old]))
        await engine.store.write([merged], delete=old)
        assert names(await engine.other.read(AAPL, YEAR, strongly=True)) == names([merged, kept])
        await engine.store.write([], delete=old)
        await engine.store.write([])
        assert names(await engine.store.read(AAPL, YEAR, strongly=True)) == names([merged, kept])

    async def test_more_chunks_than_a_batch_are_written(self, engine: Engine) -> None:
        """60 chunks in one write, and 60 deleted in another."""
        chunks = [chunk_of(first=date(year, 2, 1), sessions=3) for year in range(1965, 2025)]
        everything = span("1960-01-01", "2030-01-01")
        await engine.store.write(chunks)
        assert names(await engine.store.read(AAPL, everything, strongly=True)) == names(chunks)
        await engine.store.write([], delete=chunks)
        assert list(await engine.store.read(AAPL, everything, strongly=True)) == []

    async def test_resolutions_do_not_mix(self, engine: Engine) -> None:
        """Series of one ticker and source are apart, also where one resolution's name begins with another's (A2)."""
        chunks = {
            resolution: chunk_of(replace(AAPL, resolution=resolution), sessions=2, per_session=1)
            for resolution in Resolution
        }
        await engine.store.write(list(chunks.values()))
        for resolution, chunk in chunks.items():
            read = await engine.store.read(replace(AAPL, resolution=resolution), YEAR, strongly=True)
            assert names(read) == names([chunk])

    async def test_sources_do_not_mix(self, engine: Engine) -> None:
        """Candles of one vendor are never read as another's."""
        finnhub = replace(AAPL, source="finnhub")
        await engine.store.write([chunk_of(), chunk_of(finnhub, sessions=7)])
        (read,) = await engine.store.read(finnhub, YEAR, strongly=True)
        assert len(read.holding) == 7
        assert list(await engine.store.read(replace(AAPL, source="sample"), YEAR)) == []

    async def test_tickers_do_not_mix(self, engine: Engine) -> None:
        """Tickers that begin with one another, or hold a dot, are apart (A7, D11)."""
        series = [replace(AAPL, ticker=ticker) for ticker in ("A", "AA", "AAPL", "BRK.A", "BRK.B", "F")]
        await engine.store.write([chunk_of(one, sessions=count) for count, one in enumerate(series, 1)])
        for count, one in enumerate(series, 1):
            (read,) = await engine.other.read(one, YEAR, strongly=True)
            assert (read.series, len(read.holding)) == (one, count)

    async def test_deleting_a_ticker_drops_all_of_it_and_nothing_else(self, engine: Engine) -> None:
        """Every source and resolution of the ticker goes, for all instances; its neighbours stay (F1, T4)."""
        mine = [
            chunk_of(replace(AAPL, source=source, resolution=resolution), sessions=2)
            for source in ("tiingo", "finnhub")
            for resolution in (Resolution.DAY, Resolution.MINUTES_5, Resolution.MINUTE)
        ]
        mine.append(chunk_of(first=date(2024, 5, 1)))
        others = [chunk_of(replace(AAPL, ticker=ticker)) for ticker in ("AAP", "AAPL.B", "A")]
        await engine.store.write([*mine, *others])
        assert await engine.other.delete_ticker("AAPL") == len(mine)
        for chunk in mine:
            assert list(await engine.store.read(chunk.series, YEAR, strongly=True)) == []
        for chunk in others:
            assert names(await engine.store.read(chunk.series, YEAR, strongly=True)) == names([chunk])
        assert list(await engine.store.tickers()) == ["A", "AAP", "AAPL.B"]
        assert await engine.store.delete_ticker("AAPL") == 0

    async def test_tickers_are_listed_once_and_sorted(self, engine: Engine) -> None:
        """A ticker with several sources is one ticker; one whose last chunk went is none."""
        gone = chunk_of(replace(AAPL, ticker="ZZZ"))
        await engine.store.write([gone, chunk_of(replace(AAPL, ticker="MSFT")), chunk_of()])
        await engine.other.write([chunk_of(replace(AAPL, source="finnhub"))], delete=[gone])
        assert list(await engine.store.tickers()) == ["AAPL", "MSFT"]

    async def test_usage_is_true(self, engine: Engine) -> None:
        """Chunks, candles and tickers are counted; bytes are more than nothing (F6)."""
        gone = chunk_of(first=date(2024, 6, 3))
        await engine.store.write([chunk_of(), chunk_of(replace(AAPL, ticker="MSFT"), sessions=7), gone])
        await engine.store.write([], delete=[gone])
        usage = await engine.other.usage()
        assert (usage.chunks, usage.candles, usage.tickers) == (2, 12, 2)
        assert usage.bytes > 100

    async def test_expired_chunks_are_the_readers_to_judge(self, engine: Engine) -> None:
        """A chunk past its time is either gone or says truthfully when it was observed (S7, C11)."""
        forming = chunk_of(sessions=1, state=SessionState.FORMING, observed_at=int(NOW) - 301)
        await engine.store.write([forming])
        await engine.store.write([chunk_of(first=date(2024, 6, 3), observed_at=int(NOW))])
        for chunk in await engine.store.read(AAPL, span("2024-01-02", "2024-01-03"), strongly=True):
            assert not chunk.holding.coverage.valid(NOW, 0).any()

    async def test_concurrent_writers_lose_nothing(self, engine: Engine) -> None:
        """Two instances that write overlapping chunks of one cell at once keep both, whole (D6)."""
        mine = [chunk_of(first=START + timedelta(days=7 * week), sessions=8) for week in range(12)]
        theirs = [
            chunk_of(first=START + timedelta(days=7 * week), sessions=8, observed_at=OBSERVED_AT + 60)
            for week in range(12)
        ]
        await asyncio.gather(
            *(engine.store.write([chunk]) for chunk in mine), *(engine.other.write([chunk]) for chunk in theirs)
        )
        assert names(await engine.store.read(AAPL, YEAR, strongly=True)) == names([*mine, *theirs])

    async def test_a_reader_never_sees_half_of_a_rewrite(self, engine: Engine) -> None:
        """While chunks are folded into one and cut again, every read has every session (D7)."""
        parts = [chunk_of(first=START + timedelta(days=7 * week)) for week in range(8)]
        whole = Chunk(AAPL, merge([part.holding for part in parts]))
        await engine.store.write(parts)
        everything = whole.holding.coverage.days.tolist()
        done = False

        async def rewrite() -> None:
            nonlocal done
            for _ in range(5):
                for new, old in (([whole], parts), (parts, [whole])):
                    await engine.store.write(new, delete=old)
                    await asyncio.sleep(0)  # noqa: TID251 - a turn of the real loop
            done = True

        async def watch() -> int:
            reads = 0
            while not done:
                held = merge([chunk.holding for chunk in await engine.other.read(AAPL, YEAR, strongly=True)])
                assert held.coverage.days.tolist() == everything
                reads += 1
                await asyncio.sleep(0)  # noqa: TID251 - a turn of the real loop
            return reads

        _, reads = await asyncio.gather(rewrite(), watch())
        assert reads

    async def test_many_reads_at_once(self, engine: Engine) -> None:
        """Fifty readers of two instances get the same answer."""
        chunk = chunk_of()
        await engine.store.write([chunk])
        stores = [engine.store, engine.other] * 25
        answers = await asyncio.gather(*(store.read(AAPL, YEAR, strongly=True) for store in stores))
        assert all(names(answer) == names([chunk]) for answer in answers)

    async def test_a_cancelled_caller_harms_nothing(self, engine: Engine) -> None:
        """Reads and writes whose callers went away leave the store as usable as before (E9)."""
        chunks = [chunk_of(first=START + timedelta(days=7 * week)) for week in range(10)]
        tasks = [asyncio.ensure_future(engine.store.write([chunk])) for chunk in chunks]
        tasks += [asyncio.ensure_future(engine.store.read(AAPL, YEAR)) for _ in chunks]  # type: ignore[misc]
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the real loop
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.store.write(chunks)
        assert names(await engine.other.read(AAPL, YEAR, strongly=True)) == names(chunks)

    async def test_closing_twice_is_fine(self, engine: Engine) -> None:
        """``close`` is idempotent, and what was written stays for others."""
        await engine.store.write([chunk_of()])
        await engine.store.close()
        await engine.store.close()
        assert names(await engine.other.read(AAPL, YEAR, strongly=True)) == names([chunk_of()])

    # --- leases ------------------------------------------------------------------------------------------------

    async def test_a_free_lease_is_taken(self, engine: Engine) -> None:
        """Whoever asks first gets the lease, with its key, holder, life and a fence (L1)."""
        assert await engine.leases.look(KEY, now=NOW) is None
        lease = await engine.leases.acquire(KEY, "a", now=NOW, life_seconds=LIFE)
        assert isinstance(lease, Lease)
        assert (lease.key, lease.holder, lease.expires_at) == (KEY, "a", NOW + LIFE)

    async def test_a_held_lease_is_refused(self, engine: Engine) -> None:
        """A second holder is told whose turn it is, through any instance, by acquire and by look."""
        lease = await acquired(engine.leases, "a")
        for leases in (engine.leases, engine.other_leases):
            taken = await leases.acquire(KEY, "b", now=NOW + 1, life_seconds=LIFE)
            assert taken == LeaseTaken(KEY, lease.fence, NOW + LIFE)
            assert await leases.look(KEY, now=NOW + 1) == taken

    async def test_the_same_holder_is_refused_too(self, engine: Engine) -> None:
        """A lease is not re-entrant: two tasks of one process exclude each other."""
        await acquired(engine.leases, "a")
        assert isinstance(await engine.leases.acquire(KEY, "a", now=NOW, life_seconds=LIFE), LeaseTaken)

    async def test_one_of_fifty_gets_it(self, engine: Engine) -> None:
        """Exactly one of 50 simultaneous callers of two instances gets the lease; all others see that one (L4, D1)."""
        results = await asyncio.gather(
            *(
                (engine.leases, engine.other_leases)[index % 2].acquire(KEY, f"h{index}", now=NOW, life_seconds=LIFE)
                for index in range(50)
            )
        )
        (winner,) = [result for result in results if isinstance(result, Lease)]
        assert {result.fence for result in results} == {winner.fence}

    async def test_an_expired_lease_is_free(self, engine: Engine) -> None:
        """A crashed holder's lease frees itself at its expiry, not before (D2, E18, L5)."""
        first = await acquired(engine.leases, "crashed")
        assert isinstance(
            await engine.other_leases.acquire(KEY, "b", now=NOW + LIFE - 0.001, life_seconds=LIFE), LeaseTaken
        )
        assert await engine.other_leases.look(KEY, now=NOW + LIFE) is None
        second = await engine.other_leases.acquire(KEY, "b", now=NOW + LIFE, life_seconds=LIFE)
        assert isinstance(second, Lease)
        assert second.fence == first.fence + 1

    async def test_one_of_many_gets_an_expired_lease(self, engine: Engine) -> None:
        """Exactly one of 20 callers takes over from a crashed holder."""
        await acquired(engine.leases, "crashed")
        results = await asyncio.gather(
            *(
                (engine.leases, engine.other_leases)[index % 2].acquire(
                    KEY, f"h{index}", now=NOW + 31, life_seconds=LIFE
                )
                for index in range(20)
            )
        )
        assert sum(isinstance(result, Lease) for result in results) == 1

    async def test_a_released_lease_is_free_at_once(self, engine: Engine) -> None:
        """After its release the lease is free for any instance, before its expiry."""
        lease = await acquired(engine.leases, "a")
        await engine.leases.release(lease)
        assert await engine.other_leases.look(KEY, now=NOW + 1) is None
        assert isinstance(await engine.other_leases.acquire(KEY, "b", now=NOW + 1, life_seconds=LIFE), Lease)

    async def test_only_the_holder_releases(self, engine: Engine) -> None:
        """A release by another holder, or under another fence, does nothing (D3)."""
        lease = await acquired(engine.leases, "a")
        await engine.other_leases.release(replace(lease, holder="b"))
        await engine.other_leases.release(replace(lease, fence=lease.fence + 1))
        await engine.other_leases.release(replace(lease, key=KEY + "x"), failure=NOTE)
        assert isinstance(await engine.leases.acquire(KEY, "b", now=NOW + 1, life_seconds=LIFE), LeaseTaken)

    async def test_the_fence_rises_with_every_holder(self, engine: Engine) -> None:
        """Across releases, expiries and displacements each holder's fence is one above the last one's."""
        fences = []
        now = NOW
        displacing = None
        for turn in range(9):
            lease = await (engine.leases, engine.other_leases)[turn % 2].acquire(
                KEY, f"h{turn}", now=now, life_seconds=LIFE, displacing=displacing
            )
            assert isinstance(lease, Lease)
            fences.append(lease.fence)
            displacing = None
            if turn % 3 == 0:
                await engine.leases.release(lease)
            elif turn % 3 == 1:
                now += LIFE
            else:
                displacing = lease.fence
        assert fences == list(range(fences[0], fences[0] + 9))

    async def test_displacing_has_exactly_one_winner(self, engine: Engine) -> None:
        """Of 20 waiters that name the holder's fence, one takes over; the others see the new one."""
        held = await acquired(engine.leases, "slow")
        results = await asyncio.gather(
            *(
                (engine.leases, engine.other_leases)[index % 2].acquire(
                    KEY, f"w{index}", now=NOW + 3, life_seconds=LIFE, displacing=held.fence
                )
                for index in range(20)
            )
        )
        (winner,) = [result for result in results if isinstance(result, Lease)]
        assert winner.fence == held.fence + 1
        assert {result.fence for result in results} == {winner.fence}

    async def test_displacing_another_fence_is_refused(self, engine: Engine) -> None:
        """Who names a fence that is not the holder's displaces nobody."""
        held = await acquired(engine.leases, "a")
        for fence in (held.fence - 1, held.fence + 1):
            taken = await engine.leases.acquire(KEY, "b", now=NOW, life_seconds=LIFE, displacing=fence)
            assert isinstance(taken, LeaseTaken)

    async def test_displacing_a_lease_that_is_free_takes_it(self, engine: Engine) -> None:
        """Whether it was given back meanwhile or never held, a waiter that would displace simply gets it."""
        lease = await engine.leases.acquire(KEY, "a", now=NOW, life_seconds=LIFE, displacing=7)
        assert isinstance(lease, Lease)
        await engine.leases.release(lease)
        assert isinstance(
            await engine.leases.acquire(KEY, "b", now=NOW, life_seconds=LIFE, displacing=lease.fence), Lease
        )

    async def test_a_paused_holders_late_release_does_nothing(self, engine: Engine) -> None:
        """A holder that was displaced, or slept past its expiry, cannot end its successor's lease or leave a note."""
        paused = await acquired(engine.leases, "same-process")
        successor = await engine.other_leases.acquire(KEY, "same-process", now=NOW + LIFE, life_seconds=LIFE)
        assert isinstance(successor, Lease)
        await engine.leases.release(paused, failure=NOTE)
        assert await engine.leases.look(KEY, now=NOW + LIFE + 1) == LeaseTaken(KEY, successor.fence, NOW + 2 * LIFE)

    async def test_a_failure_note_is_read_by_those_who_wait(self, engine: Engine) -> None:
        """Released with a failure, the lease shows the note under its fence until somebody takes it (F2)."""
        lease = await acquired(engine.leases, "a")
        await engine.leases.release(lease, failure=NOTE)
        for leases in (engine.leases, engine.other_leases):
            seen = await leases.look(KEY, now=NOW + 1)
            assert seen is not None
            assert (seen.key, seen.fence, seen.failure) == (KEY, lease.fence, NOTE)

    async def test_a_failed_lease_is_free(self, engine: Engine) -> None:
        """The note does not hold the lease; the next holder's fence is one higher and the note is gone."""
        lease = await acquired(engine.leases, "a")
        await engine.leases.release(lease, failure=replace(NOTE, retry_after_seconds=None))
        following = await engine.other_leases.acquire(KEY, "b", now=NOW + 1, life_seconds=LIFE)
        assert isinstance(following, Lease)
        assert following.fence == lease.fence + 1
        seen = await engine.leases.look(KEY, now=NOW + 1)
        assert seen is not None
        assert seen.failure is None
        await engine.other_leases.release(following)
        assert await engine.leases.look(KEY, now=NOW + 1) is None

    async def test_different_keys_are_independent(self, engine: Engine) -> None:
        """Tickers, resolutions, ranges and days never block one another (D11, D12, L5, A5)."""
        keys = [
            f"LOCK#{ticker}#{resolution}#{asked}#2024-06-0{day}"
            for ticker in ("AAPL", "AAP")
            for resolution in ("1", "15", "D")
            for asked in ("1W", "1M")
            for day in (3, 4)
        ]
        results = await asyncio.gather(*(engine.leases.acquire(key, "a", now=NOW, life_seconds=LIFE) for key in keys))
        assert all(isinstance(result, Lease) for result in results)
        first = results[0]
        assert isinstance(first, Lease)
        await engine.other_leases.release(first)
        assert await engine.leases.look(keys[1], now=NOW) is not None

    async def test_leases_are_no_chunks(self, engine: Engine) -> None:
        """A lease shows in no ticker list, no usage and no read, and outlives the deletion of its ticker's chunks."""
        await acquired(engine.leases, "a")
        assert list(await engine.store.tickers()) == []
        assert (await engine.store.usage()).chunks == 0
        await engine.store.delete_ticker("AAPL")
        await engine.store.delete_ticker("LOCK")
        assert await engine.leases.look(KEY, now=NOW) is not None


async def acquired(leases: LeaseTable, holder: str) -> Lease:
    lease = await leases.acquire(KEY, holder, now=NOW, life_seconds=LIFE)
    assert isinstance(lease, Lease)
    return lease


@pytest.mark.asyncio
class StoredBytesContract:
    """Facts about stores that keep chunks as bytes, which something else may spoil."""

    async def test_a_corrupt_chunk_is_ignored_and_counted(self, engine: Engine) -> None:
        """What cannot be decoded is left out of a read and counted; the sound chunks beside it are read."""
        assert engine.corrupt is not None
        sound, spoilt = chunk_of(), chunk_of(first=date(2024, 2, 5))
        await engine.store.write([sound, spoilt])
        await engine.corrupt(spoilt)
        assert names(await engine.store.read(AAPL, YEAR, strongly=True)) == names([sound])
        assert engine.telemetry.total(Metric.CORRUPT_CHUNKS) == 1
        assert len(engine.telemetry.lines) == 1

    async def test_a_corrupt_chunk_is_mended_by_writing_it_again(self, engine: Engine) -> None:
        """Fetched anew, the same chunk is read again."""
        assert engine.corrupt is not None
        chunk = chunk_of()
        await engine.store.write([chunk])
        await engine.corrupt(chunk)
        assert list(await engine.store.read(AAPL, YEAR, strongly=True)) == []
        await engine.store.write([chunk])
        (read,) = await engine.other.read(AAPL, YEAR, strongly=True)
        assert same(read, chunk)
