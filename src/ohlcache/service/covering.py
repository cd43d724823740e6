"""Covering a need: what is held, what is missing, who fetches it, and how everybody else hears of it.

::

    read the store ─▶ plan ─▶ nothing missing: done
                       │
                       ├─▶ a fetch of this process overlaps: wait for it, share its failure, plan again
                       │
                       └─▶ fetch: take the lease ─▶ read strongly, plan again ─▶ vendor ─▶ write ─▶ release
                                     │ taken
                                     └─▶ poll: data there, failure noted, lease free; after 3 s displace the holder

A fetch is a task of its own (single flight): it outlives a cancelled caller, and what it brought is written.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from ohlcache.domain.chunks import Chunk, cut, fold
from ohlcache.domain.coverage import Holding, best_of, merge
from ohlcache.domain.errors import OhlcacheError, StoreError
from ohlcache.domain.plan import Need, look_back, plan, reach_of, with_previous
from ohlcache.domain.rebasing import rebased
from ohlcache.domain.span import Span
from ohlcache.ports import Metric
from ohlcache.service.failure_notes import note_of
from ohlcache.service.fetching import Before, Fetched, Fetcher
from ohlcache.service.lease_wait import LeaseWait
from ohlcache.service.offers import market_now
from ohlcache.service.rejection_log import RejectionLog
from ohlcache.service.single_flight import SingleFlight
from ohlcache.service.usability import Usability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.coverage import Coverage
    from ohlcache.domain.plan import SliceLimit
    from ohlcache.domain.rejections import RejectedRow
    from ohlcache.domain.series import Series
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import CandleVendor, Clock, Telemetry
    from ohlcache.service.guarded_store import GuardedStore, StoreVisit
    from ohlcache.service.hold_off import HoldOffs

REPLANS_MAX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Covered:
    """A need that is covered: ``holding`` has every due session of its span.

    ``calls``: vendor calls made for it; ``believed``: nothing in it is an empty answer that nothing bears out;
    ``rejected``: rows of the replies that cannot be true, whose sessions are missing or lack a bar; ``degraded``: the
    store failed or was skipped on the way, so what is new in it may be stored nowhere.
    """

    holding: Holding
    calls: int
    from_vendor: bool
    believed: bool = True
    rejected: tuple[RejectedRow, ...] = ()
    degraded: bool = False


@dataclass(slots=True)
class _Flight:
    """A fetch under way: the span it may reach, and its task."""

    reach: Span
    task: asyncio.Task[Covered]


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What the store said: every chunk, and what of it can be relied on."""

    chunks: Sequence[Chunk]
    valid: Holding


@dataclass(slots=True)
class Coverer:
    """Covers needs, from the store or from a vendor; belongs to one event loop."""

    calendar: SessionTable
    clock: Clock
    telemetry: Telemetry
    store: GuardedStore
    hold_offs: HoldOffs
    final_life_seconds: float
    holder: str = field(default_factory=lambda: uuid4().hex)
    _flights: SingleFlight[Covered] = field(default_factory=SingleFlight)
    _under_way: dict[str, list[_Flight]] = field(default_factory=dict)
    _epochs: dict[str, int] = field(default_factory=dict)
    _rejections: RejectionLog = field(init=False)
    _fetcher: Fetcher = field(init=False)
    _leases: LeaseWait = field(init=False)
    _usable: Usability = field(init=False)

    def __post_init__(self) -> None:
        self._fetcher = Fetcher(calendar=self.calendar, clock=self.clock)
        self._leases = LeaseWait(self.holder, self.clock, self.telemetry)
        self._rejections = RejectionLog(self.telemetry)
        self._usable = Usability(self.calendar, self.clock, self.hold_offs, self.final_life_seconds)

    async def cover(self, need: Need, vendor: CandleVendor, lock_key: str, visit: StoreVisit) -> Covered:
        """Return the need covered; raises what the vendor raises when something missing cannot be had."""
        limit = vendor.traits.limits[need.series.resolution]
        known = (await self._read(need, with_previous(need.span, self.calendar), visit)).valid
        calls, believed = 0, True
        for waits_left in reversed(range(REPLANS_MAX)):
            as_of = market_now(vendor, self.clock.now())
            if not plan(need, known.coverage, self.calendar, as_of, limit):
                break
            # The last turn waits for nobody: many narrow fetches must not keep a wide one from its own.
            flight = self._joinable(need) if waits_left else None
            if flight is None:
                fetched = await asyncio.shield(self._start(need, vendor, lock_key, visit).task)
                # Just heard, so it stands, even if writing it took longer than it lives.
                known = self._beside(known, fetched.holding, need, vendor)
                calls, believed = fetched.calls, believed and fetched.believed
                break
            fetched = await asyncio.shield(flight.task)
            self.telemetry.count(Metric.SHARED_FETCHES, scope="process")
            heard = merge([fetched.holding], counts=self._usable.shared(need))
            known = self._beside(known, heard, need, vendor)
            believed = believed and fetched.believed
            if fetched.degraded:
                visit.end()
        return Covered(
            known, calls, calls > 0, believed, self._rejections.of(need, known.coverage), degraded=visit.ended
        )

    async def held(self, need: Need, visit: StoreVisit, *, expired: bool = False) -> Holding:
        """Return what the store holds of the need, what has expired included where ``expired``."""
        found = await self._read(need, with_previous(need.span, self.calendar), visit)
        if not expired:
            return found.valid
        return best_of([chunk.holding for chunk in found.chunks], keep=self._usable.ever(need))

    def rejections(self, need: Need, coverage: Coverage) -> tuple[RejectedRow, ...]:
        """Return the rows for which sessions of ``coverage`` within the need are rejected, as far as they are known."""
        return self._rejections.of(need, coverage)

    async def stored(self, need: Need) -> Coverage:
        """Return what the store can be relied on for, and the rejected sessions; StoreError when it cannot say."""
        visit = self.store.visit()
        held = await self._read(need, need.span, visit)
        if visit.ended:
            raise StoreError(
                "The store cannot say what it holds.", hint="Its error is in the log; try again in a minute."
            )
        relied = self._usable.now(need)
        return merge(
            [chunk.holding for chunk in held.chunks], counts=lambda rows: relied(rows) | rows.rejected
        ).coverage

    def forget(self, ticker: str) -> None:
        """Let nobody join a fetch of ``ticker`` that is under way, and let it write nothing."""
        self._epochs[ticker] = self._epochs.get(ticker, 0) + 1
        self._rejections.drop(ticker)
        for key in [key for key in self._under_way if key.startswith(f"{ticker}#")]:
            del self._under_way[key]

    async def drain(self) -> None:
        """Wait until every fetch has ended and what it brought is written."""
        await self._flights.drain()

    # --- one fetch, many waiters ---------------------------------------------------------------------------------

    def _joinable(self, need: Need) -> _Flight | None:
        flights = self._under_way.get(str(need.series), ())
        return next((flight for flight in flights if flight.reach.overlaps(need.span)), None)

    def _start(self, need: Need, vendor: CandleVendor, lock_key: str, visit: StoreVisit) -> _Flight:
        as_of = market_now(vendor, self.clock.now())
        reach = reach_of(need, self.calendar, as_of, vendor.traits.limits[need.series.resolution])
        task = self._flights.start(object(), lambda: self._fly(need, reach, vendor, lock_key, visit))
        flight = _Flight(reach, task)
        flights = self._under_way.setdefault(str(need.series), [])
        flights.append(flight)
        task.add_done_callback(lambda _: flights.remove(flight))
        return flight

    async def _fly(self, need: Need, reach: Span, vendor: CandleVendor, lock_key: str, visit: StoreVisit) -> Covered:
        """Fetch what of the need is missing, and say whether that was done without the store, in part or whole.

        Raises what the vendor refused a moment ago without asking it again.
        """
        await vendor.prepare()  # a holder who is busy with itself is displaced
        refusal = await self._refusal(need.series, vendor, visit)
        if refusal is not None:
            raise refusal
        try:
            covered = await self._fetch(need, reach, vendor, lock_key, visit)
        except OhlcacheError as exc:
            self.hold_offs.failed(need.series, exc)
            raise
        self.hold_offs.succeeded(need.series, covered.holding.coverage)
        return replace(covered, degraded=visit.ended)

    async def _refusal(self, series: Series, vendor: CandleVendor, visit: StoreVisit) -> OhlcacheError | None:
        """Return the refusal for which the vendor is not asked for ``series`` now, None where it may be."""
        refusal = await self.hold_offs.of(series, vendor)
        if refusal is not None:
            return refusal
        refusal = self.hold_offs.of_new_tickers(series.source)
        if refusal is None:
            return None
        for known in (series, series.daily):
            if await visit.read(known, self.calendar.span):
                return None
        return refusal

    async def _fetch(self, need: Need, reach: Span, vendor: CandleVendor, lock_key: str, visit: StoreVisit) -> Covered:
        """Fetch what of the need is missing, under its lease; return everything that is then known within ``reach``."""
        limit = vendor.traits.limits[need.series.resolution]

        async def brought() -> Holding | None:
            chunks = await visit.read(need.series, reach, strongly=True)
            held = merge([chunk.holding for chunk in chunks], counts=self._usable.shared(need))
            as_of = market_now(vendor, self.clock.now())
            return held if not plan(need, held.coverage, self.calendar, as_of, limit) else None

        lease = await self._leases.lease_or_value(lock_key, visit, brought)
        if isinstance(lease, Holding):
            self.telemetry.count(Metric.SHARED_FETCHES, scope="lease")
            return Covered(lease, 0, from_vendor=False)
        failure: OhlcacheError | None = None
        try:
            return await self._fetch_missing(need, reach, vendor, visit, strongly=lease is not None)
        except OhlcacheError as exc:
            failure = exc
            raise
        finally:
            if lease is not None:
                await visit.release(lease, failure=note_of(failure) if failure is not None else None)

    async def _fetch_missing(
        self, need: Need, reach: Span, vendor: CandleVendor, visit: StoreVisit, *, strongly: bool
    ) -> Covered:
        epoch = self._epochs.get(need.series.ticker, 0)
        pre_adjusted = need.series.resolution in vendor.traits.pre_adjusted
        span = self.calendar.span if pre_adjusted else reach
        if visit.ended:
            span = with_previous(need.span, self.calendar)  # which is known: nothing is read twice
        held = await self._read(need, span, visit, strongly=strongly)
        as_of = market_now(vendor, self.clock.now())
        limit = vendor.traits.limits[need.series.resolution]
        coverage, unlisted = held.valid.coverage, Holding.empty()
        spans: Sequence[Span] = plan(need, coverage, self.calendar, as_of, limit)
        if not spans:
            return Covered(held.valid, 0, from_vendor=False)
        if pre_adjusted:
            spans = plan(need, Holding.empty().coverage, self.calendar, as_of, limit)
        else:
            spans, unlisted = await self._worth_asking(need, spans, held, as_of, limit, visit)
        traded = coverage.days[coverage.final]
        past = merge([chunk.holding for chunk in held.chunks], counts=self._usable.ever(need)).coverage
        empty_before = past.days[past.known_empty]
        fetched = Fetched(Holding.empty(), Holding.empty(), 0)
        if spans:
            listed_before = bool(len(traded)) and int(traded[0]) < min(spans).start.toordinal()
            # What has expired does not make an answer without any row true.
            before = Before(listed_before, empty_before, past.days[past.final], look_back(need, self.calendar))
            fetched = await self._fetcher.fetch(vendor, need.series, spans, before)
        self._rejections.add(need.series, fetched.rejected)
        new, kept = merge([fetched.holding, unlisted]), merge([fetched.kept, unlisted])
        if self._epochs.get(need.series.ticker, 0) == epoch:
            written = await self._write(need, kept, held.chunks, visit, replace=pre_adjusted)
            if self._epochs.get(need.series.ticker, 0) != epoch:
                # Cleared while it was being written: whichever came first, nothing of before may stay. That is not the
                # request's business, so it is tried even where the request asks the store no more.
                await self.store.visit().write((), delete=written)
        if fetched.failure is not None:
            raise fetched.failure
        whole = self._beside(merge([held.valid, self._outlived(need, held, new)]), new, need, vendor)
        return Covered(whole, fetched.calls, from_vendor=bool(spans), believed=len(kept) == len(new))

    def _outlived(self, need: Need, held: _Held, new: Holding) -> Holding:
        """Return the candles that have expired, of sessions of which the vendor now sends a row that cannot be true."""
        rejected = new.coverage.days[new.coverage.rejected]
        if not len(rejected):
            return Holding.empty()
        past = merge([chunk.holding for chunk in held.chunks], counts=self._usable.ever(need))
        return past.select(past.coverage.final & np.isin(past.coverage.days, rejected))

    async def _worth_asking(
        self,
        need: Need,
        missing: Sequence[Span],
        held: _Held,
        as_of: float,
        limit: SliceLimit,
        visit: StoreVisit,
    ) -> tuple[Sequence[Span], Holding]:
        """Return what to ask for, and the sessions that need no call because the ticker was not listed yet.

        What is about to expire comes along, if that costs no call more.
        """
        unlisted = await self._unlisted(need, missing, held.valid.coverage, visit)
        known, spans = held.valid.coverage, missing
        if len(unlisted):
            known = merge([held.valid, unlisted]).coverage
            spans = plan(need, known, self.calendar, as_of, limit)
        kept = self._usable.renewal().needless(known, [chunk.holding.coverage for chunk in held.chunks])
        if not kept.all():
            renewing = plan(need, known[kept], self.calendar, as_of, limit)
            spans = renewing if len(renewing) == len(spans) else spans
        return spans, unlisted

    async def _unlisted(self, need: Need, spans: Sequence[Span], coverage: Coverage, visit: StoreVisit) -> Holding:
        """Return the sessions from the oldest of ``spans`` on in which the ticker was not listed yet, unless known.

        It was not before a session of which the series itself, or the series of the ticker's days, says so, unless
        candles of before are held.
        """
        oldest, traded = min(spans).start, coverage.days[coverage.final]
        first_traded = int(traded[0]) if len(traded) else date.max.toordinal()
        if first_traded < oldest.toordinal():
            return Holding.empty()
        through = coverage.unlisted_through
        if not need.series.resolution.is_daily:
            days = Need(need.series.daily, Span(oldest, max(span.end for span in spans)))
            # It only saves calls, so a store that has failed is not asked for it.
            chunks = visit.known(days.series, days.span) if visit.ended else await visit.read(days.series, days.span)
            relied_on = merge([chunk.holding for chunk in chunks], counts=self._usable.now(days))
            through = max(through, relied_on.coverage.unlisted_through)
        if not oldest.toordinal() <= through < first_traded:
            return Holding.empty()
        before = self.calendar.between(Span(oldest, date.fromordinal(through))).days
        return Holding.unlisted(before[~coverage.among(before)], self.clock.now())

    def _beside(self, known: Holding, new: Holding, need: Need, vendor: CandleVendor) -> Holding:
        """Return what was known together with what is new; on a new price basis the old is worthless."""
        if need.series.resolution in vendor.traits.pre_adjusted:
            known = rebased(known, new)
        return merge([known, new])

    async def _write(
        self, need: Need, new: Holding, held: Sequence[Chunk], visit: StoreVisit, *, replace: bool
    ) -> Sequence[Chunk]:
        """Store ``new`` beside what is held; return the chunks that were written."""
        if not len(new):
            return ()
        if replace:
            past = [chunk.holding for chunk in held]
            write = cut(need.series, merge([rebased(merge(past), new), new]))
            # As ``fold`` does: what was held of a session may be served in place of a row that cannot be true.
            best = rebased(best_of(past, keep=self._usable.ever(need)), new)
            spoilt = new.coverage.days[new.coverage.rejected]
            write += cut(need.series, best.select(best.coverage.forming & np.isin(best.coverage.days, spoilt)))
            names = {chunk.name for chunk in write}
            await visit.write(write, delete=[chunk for chunk in held if chunk.name not in names])
            return write
        if visit.ended:
            # Nothing is folded that is not kept.
            await visit.write(cut(need.series, new))
            return ()
        now = self.clock.now()
        newest = self._usable.newest_final(need)
        alive = [
            chunk
            for chunk in held
            if chunk.expires_at(self.final_life_seconds) > now and not chunk.holding.coverage.foreseen(newest).any()
        ]
        rejected = new.coverage.rejected
        expired = [
            chunk
            for chunk in held
            if chunk.expires_at(self.final_life_seconds) <= now
            and not np.isin(chunk.holding.coverage.days, new.coverage.days[rejected]).any()
        ]
        beside = [chunk.holding.coverage for chunk in alive]
        # A row that cannot be true renews nothing.
        counting = self._usable.renewal().counting(self._usable.now(need), new.coverage[~rejected], beside)
        write, superseded = fold(cut(need.series, new), alive, counting)
        await visit.write(write, delete=[*superseded, *expired])
        return write

    # --- the store -----------------------------------------------------------------------------------------------

    async def _read(self, need: Need, span: Span, visit: StoreVisit, *, strongly: bool = False) -> _Held:
        chunks = await visit.read(need.series, span, strongly=strongly)
        return _Held(chunks, merge([chunk.holding for chunk in chunks], counts=self._usable.now(need)))
