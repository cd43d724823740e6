"""What must hold, checked as it happens: every answer, every write, every lease, every vendor call.

A check that fails raises Violation; the run then prints its seed and how to replay it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.coverage import SessionState
from ohlcache.domain.errors import OhlcacheError, QuotaExceeded, StoreError, TickerNotFound
from ohlcache.domain.request import Range
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.ports import Lease

from .nodes import ASK, VISIT
from .truth import FAR_FUTURE, UNIX_EPOCH_ORDINAL, UNKNOWN_TICKER, Action, adjusted
from .weather import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ohlcache.domain.answer import Answer, Served
    from ohlcache.domain.candles import Candles
    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.request import CandleRequest
    from ohlcache.domain.span import Span
    from ohlcache.ports import LeaseTaken
    from ohlcache.service.guarded_store import StoreVisit

    from .nodes import Ask, Node
    from .store import StoreServer
    from .truth import Truth
    from .vendor import VendorServer
    from .virtual_loop import VirtualLoop
    from .weather import Weather

FORMING_BELIEVED_SECONDS = 300.0
EMPTY_BELIEVED_SECONDS = (300.0, 86_400.0)
SLACK_SECONDS = 2.0
WAIT_BEFORE_DISPLACING_SECONDS = 3.0
WAIT_BEFORE_GOING_ON_SECONDS = 6.0
INSTANT_SECONDS = 1e-3
HELD_OFF_SECONDS = {"source": 300.0, "series": 60.0}
"""How long a refusal is repeated without a call, by what it holds off, at most: docs/http-api.md."""

TELLING_SECONDS = 10.0
UNSETTLED_SESSIONS_MAX = 10
LEDGERS_MAX = 128
BUDGET_SECONDS = 90.0


class Violation(AssertionError):
    """A promise was broken."""


@dataclass(slots=True, eq=False)
class Fetch:
    """One attempt to fill a gap: which lease it has, what it read under it, what it asked."""

    node: Node
    key: str
    lease: Lease | None = None
    store_failed: bool = False
    taken_at: dict[int, tuple[float, float]] = field(default_factory=dict)
    """When this fetch first heard of each fence of another holder, truly and by its own clock."""
    read: Sequence[Chunk] | None = None
    """What a strongly consistent read showed after the lease was won."""
    spans: list[Span] = field(default_factory=list)
    told_failure: bool = False
    """Whether it has been told that the holder it waited for gave up."""

    def waited(self, fence: int) -> float:
        """Return for how long it has known the holder with ``fence``; a clock that is set makes it seem longer."""
        if fence not in self.taken_at:
            return 0.0
        truly, seemingly = self.taken_at[fence]
        return max(self.node.loop.time() - truly, self.node.clock.now() - seemingly)


@dataclass(slots=True, eq=False)
class HeldLease:
    """A lease that a node was told it has, until it gives it back."""

    node: Node
    life: int
    since: float
    visit: StoreVisit | None


@dataclass(slots=True, eq=False)
class Call:
    """One call to the vendor that is under way."""

    node: Node
    series: Series
    span: Span
    fetch: Fetch | None


FETCH: ContextVar[Fetch | None] = ContextVar("fetch", default=None)


@dataclass(slots=True, eq=False)
class Checks:
    """Every check of one run."""

    loop: VirtualLoop
    truth: Truth
    weather: Weather
    final_life_seconds: float
    store: StoreServer = field(init=False)
    vendor: VendorServer = field(init=False)
    skew_spread_seconds: float = 0.0
    under_way: list[Call] = field(default_factory=list)
    checked: set[tuple[Series, str]] = field(default_factory=set)
    held: dict[tuple[str, int], HeldLease] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    answers: int = 0
    complete_answers: int = 0
    refusals: int = 0
    longest_seconds: float = 0.0

    # --- leases --------------------------------------------------------------------------------------------------

    def acquiring(self, node: Node, key: str, displacing: int | None) -> Fetch:
        """Check that a node that asks for a lease displaces a holder only after having waited for it."""
        fetch = FETCH.get()
        if fetch is None or fetch.key != key or fetch.node is not node:
            fetch = Fetch(node, key)
            FETCH.set(fetch)
        if displacing is not None:
            waited = fetch.waited(displacing)
            if waited < WAIT_BEFORE_DISPLACING_SECONDS - INSTANT_SECONDS:
                raise Violation(f"{node.name} displaces fence {displacing} of {key} after {waited:.4f} s")
        return fetch

    def granted(self, lease: Lease, now: float, displacing: int | None) -> None:
        """Check that the store gives a lease to one at a time, each with a higher fence than the last.

        ``now`` is the caller's clock, by which leases expire.
        """
        last = self.leases.get(lease.key)
        if last is not None:
            if lease.fence <= last.fence:
                raise Violation(f"{lease.key} was given away with fence {lease.fence} after {last.fence}")
            if last.expires_at > now and last.fence != displacing:
                raise Violation(f"{lease.key} was given to two: fence {last.fence} and {lease.fence}")
        self.leases[lease.key] = lease

    def released(self, lease: Lease) -> None:
        """Note that the store carried out a release: only the last lease given away becomes free by it."""
        last = self.leases.get(lease.key)
        if last is not None and last.fence == lease.fence:
            self.leases[lease.key] = replace(last, expires_at=0.0)

    def acquired(self, node: Node, fetch: Fetch, got: Lease | LeaseTaken) -> None:
        """Note what a node hears of a lease."""
        now = self.loop.time()
        if isinstance(got, Lease):
            fetch.lease, fetch.read = got, None
            self.held[got.key, got.fence] = HeldLease(node, node.life, now, VISIT.get())
        else:
            fetch.taken_at.setdefault(got.fence, (now, node.clock.now()))

    def releasing(self, node: Node, lease: Lease) -> None:
        """Check that the lease that a node gives back is its own."""
        fetch = FETCH.get()
        if fetch is None or fetch.lease is not lease:
            raise Violation(f"{node.name} releases a lease of {lease.key} that it does not have")
        self.held.pop((lease.key, lease.fence), None)

    def looked(self, taken: LeaseTaken | None) -> None:
        """Note what a node that waits has seen."""
        fetch = FETCH.get()
        if fetch is not None and taken is not None and taken.failure is not None and taken.fence >= min(fetch.taken_at):
            fetch.told_failure = True

    def leases_given_back(self) -> None:
        """Nobody who could give a lease back still has it after every budget is spent."""
        now = self.loop.time()
        for (key, fence), held in list(self.held.items()):
            node = held.node
            trouble = max(node.store_failed_at, node.breaker_closed_at) >= held.since
            trouble = trouble or (held.visit is not None and held.visit.ended)
            if node.life != held.life or trouble or node.breaker.state.state != "closed":
                del self.held[key, fence]
            elif now > held.since + BUDGET_SECONDS + node.paused_seconds:
                raise Violation(f"{node.name} never gave back {key}")

    def read_strongly(self, node: Node, series: Series, chunks: Sequence[Chunk]) -> None:
        """Note a strongly consistent read."""
        fetch = FETCH.get()
        if fetch is not None and fetch.lease is not None:
            fetch.read = chunks

    def asking_the_store(self, node: Node, what: str) -> None:
        """Check that a request that the store failed once writes no more; what it has not read it may still read."""
        visit = VISIT.get()
        if visit is not None and visit.ended and what != "read":
            raise Violation(f"{node.name} sends {what} to the store for a request that the store has failed")

    def store_failed(self, node: Node, what: str, *, strongly: bool) -> None:
        """Note that a node was told that the store failed."""
        fetch = FETCH.get()
        if fetch is not None:
            fetch.store_failed = True

    # --- vendor calls --------------------------------------------------------------------------------------------

    def calling(self, node: Node, series: Series, span: Span) -> Call:
        """Check that a node that is about to call the vendor has the right to, and a reason."""
        now = self.loop.time()
        ask, fetch = ASK.get(), FETCH.get()
        if ask is not None and series in ask.refused_series:
            raise Violation(f"{node.name} asks for {series} {span} after the vendor refused this very request with 429")
        broken = node.breaker.state.state != "closed" or now < node.breaker_closed_at + BUDGET_SECONDS
        visit = VISIT.get()
        # A request that the store failed once asks it no more.
        excused = broken or (fetch is not None and fetch.store_failed) or (visit is not None and visit.ended)
        if fetch is None or fetch.lease is None:
            waited = max(map(fetch.waited, fetch.taken_at), default=0.0) if fetch is not None else 0.0
            long_enough = waited >= WAIT_BEFORE_GOING_ON_SECONDS - INSTANT_SECONDS
            if not (excused or long_enough):
                raise Violation(f"{node.name} asks for {series} {span} without a lease: {fetch}")
        elif not excused:
            if fetch.read is None:
                raise Violation(f"{node.name} asks for {series} {span} without having read once more under its lease")
            self._needed(node, fetch, series, span)
        if fetch is not None:
            fetch.spans.append(span)
        if fetch is not None and fetch.told_failure and fetch.lease is None:
            raise Violation(f"{node.name} asks for {series} {span} though the holder it waited for had failed")
        call = Call(node, series, span, fetch)
        for other in self.under_way:
            if other.node is node and other.series == series and other.fetch is not fetch:
                self._both_needed(call, other)
        self.under_way.append(call)
        return call

    def called(self, node: Node, call: Call, failure: OhlcacheError | None) -> None:
        """Note the answer to a call."""
        ask = ASK.get()
        if isinstance(failure, QuotaExceeded) and ask is not None:
            ask.refused_series.add(call.series)

    def ended(self, call: Call) -> None:
        """Note the end of a call."""
        self.under_way.remove(call)

    def _needed(self, node: Node, fetch: Fetch, series: Series, span: Span) -> None:
        """Both ends of the span were missing when the lease was won: nothing that is held is fetched again."""
        if any(known.covers(span) for known in fetch.spans):
            return  # an edge of an answer that was cut off, asked for again
        if any(self._with_a_witness(span, known, fetch, node.clock.now()) for known in fetch.spans):
            return  # an answer that denied a whole span, asked for again beside a day that is held
        now = node.clock.now()
        sessions = self.truth.sessions_between(span.start.toordinal(), span.end.toordinal())
        sessions = [day for day in sessions if self.truth.opens_at(day) <= now]
        if not sessions:
            raise Violation(f"{node.name} asks for {series} {span}, where no session has begun")
        held = set()
        for chunk in fetch.read or ():
            # What is about to expire may come along, and so be at an end.
            held |= self._believed_days(chunk, now) - self._expiring_days(chunk, now)
        for day in (sessions[0], sessions[-1]):
            if day in held:
                raise Violation(f"{node.name} asks for {series} {span} though day {day} was held under its lease")

    def _with_a_witness(self, span: Span, known: Span, fetch: Fetch, now: float) -> bool:
        """Whether ``span`` is ``known``, asked for before in this fetch, with one held day more at one of its ends."""
        held: set[int] = set()
        for chunk in fetch.read or ():
            held |= self._believed_days(chunk, now)
        wider = {span.start, span.end} - {known.start, known.end}
        return len(wider) == 1 and span.covers(known) and wider.pop().toordinal() in held

    def _both_needed(self, call: Call, other: Call) -> None:
        """Within one process a daily session is asked for once at a time."""
        epoch_since = call.node.invalidated_at
        if call.series.resolution is Resolution.DAY and epoch_since < self.loop.time() - BUDGET_SECONDS:
            newest = max(call.span.end, other.span.end)
            if call.span.end == other.span.end == newest:
                raise Violation(f"{call.node.name} asks for {call.series} {call.span} twice at the same time")

    def _believed_days(self, chunk: Chunk, now: float) -> set[int]:
        coverage = chunk.holding.coverage
        return {
            day
            for day, state, observed in zip(
                coverage.days.tolist(), coverage.states.tolist(), coverage.observed_at.tolist(), strict=True
            )
            if self._believed_until(day, state, observed) > now
            and not (state == SessionState.FORMING and observed > now + FORMING_BELIEVED_SECONDS)
        }

    def _expiring_days(self, chunk: Chunk, now: float) -> set[int]:
        coverage = chunk.holding.coverage
        soon = now + self.final_life_seconds / 20
        rows = zip(coverage.days.tolist(), coverage.states.tolist(), coverage.observed_at.tolist(), strict=True)
        settled = {SessionState.FINAL, SessionState.UNLISTED}
        return {day for day, state, at in rows if state in settled and self._believed_until(day, state, at) <= soon}

    def _believed_until(self, day: int, state: int, observed_at: float) -> float:
        if state == SessionState.FORMING:
            return observed_at + FORMING_BELIEVED_SECONDS
        if state == SessionState.KNOWN_EMPTY:
            return observed_at + _empty_believed(day, observed_at)
        return observed_at + (self.final_life_seconds or FAR_FUTURE)

    # --- what is written -----------------------------------------------------------------------------------------

    def written(self, chunk: Chunk, now: float) -> None:
        """Check that everything is true that a chunk says, for good where it says so."""
        mark = (chunk.series, str(chunk.name))
        if mark in self.checked:
            return
        self.checked.add(mark)
        truth, series = self.truth, chunk.series
        ticker, resolution = series.ticker, series.resolution
        coverage = chunk.holding.coverage
        days = coverage.days.tolist()
        if days != sorted(set(days)) or not set(days) <= set(truth.sessions_between(days[0], days[-1])):
            raise Violation(f"{series} is stored with days that are no sessions, or twice")
        final = coverage.states == SessionState.FINAL
        settled = chunk.holding.select(final)
        if final.any():
            wanted = truth.final(ticker, resolution, days[0], days[-1])
            wanted_days = truth.final_days(ticker, resolution, days[0], days[-1])
            keep = np.isin(wanted_days, coverage.days[final])
            if settled.candles != wanted[keep]:
                raise Violation(f"{series} is stored as final from {days[0]} to {days[-1]} with other candles")
            if bool((settled.coverage.counts == 0).any()):
                raise Violation(f"{series} is stored as final without candles")
        for day, state, observed in zip(days, coverage.states.tolist(), coverage.observed_at.tolist(), strict=True):
            if state == SessionState.FINAL and day < truth.start.toordinal() - UNSETTLED_SESSIONS_MAX:
                continue
            self._true(series, day, state, observed, now)
        self._true_actions(chunk)

    def _true(self, series: Series, day: int, state: int, observed: float, now: float) -> None:
        truth, spread = self.truth, self.skew_spread_seconds + SLACK_SECONDS
        final_at = truth.final_at(day, series.resolution)
        if observed > now + spread:
            raise Violation(f"{series} day {day} is stored as observed in the future")
        if (state == SessionState.FORMING) != (observed < int(final_at)) and state != SessionState.UNLISTED:
            raise Violation(f"{series} day {day} is stored as {SessionState(state).name} at the wrong time")
        if state == SessionState.KNOWN_EMPTY:
            published = truth.published_at(series.ticker, day, series.resolution)
            if published < observed - spread:
                raise Violation(f"{series} day {day} is stored as known to be empty, and the market had it")
        # A halted session beside the listing is called unlisted, too: it has no candle and never will have.
        if state == SessionState.UNLISTED and truth.published_at(series.ticker, day, series.resolution) <= now:
            raise Violation(f"{series} day {day} is stored as not yet listed, and it was")

    def _true_actions(self, chunk: Chunk) -> None:
        coverage, actions = chunk.holding.coverage, chunk.holding.actions
        final = set(coverage.days[coverage.states == SessionState.FINAL].tolist())
        if chunk.series.resolution is not Resolution.DAY:
            if len(actions):
                raise Violation(f"{chunk.series} is stored with actions")
            return
        mine = [
            Action(int(day), float(dividend), float(split), float(close))
            for day, dividend, split, close in zip(*actions.columns(), strict=True)
            if int(day) in final
        ]
        theirs = [action for action in self.truth.actions(chunk.series.ticker) if action.day in final]
        if mine != theirs:
            raise Violation(f"{chunk.series} is stored with other splits or dividends than the market's")

    # --- answers -------------------------------------------------------------------------------------------------

    def refused(self, node: Node, ask: Ask, failure: OhlcacheError, since: float) -> None:
        """Check that an error was the vendor's doing, and came in time."""
        self.refusals += 1
        self._in_time(node, ask)
        if isinstance(failure, StoreError):
            raise Violation(f"a store failure reached a caller: {failure.message}")
        if isinstance(failure, TickerNotFound) and ask.what["ticker"] != UNKNOWN_TICKER:
            raise Violation(f"{ask.what} is answered with: {failure.message}")
        # A holder whose call has failed may take a moment to say so to those who come meanwhile, and a vendor that
        # refused is not asked again at once.
        held_off = HELD_OFF_SECONDS["source" if isinstance(failure, QuotaExceeded) else "series"]
        excused = self.vendor.failed_at >= since - TELLING_SECONDS - held_off or self._was_cut_off()
        if not isinstance(failure, TickerNotFound) and not excused:
            raise Violation(f"{ask.what} failed though the vendor did not: {failure!r}")

    def _was_cut_off(self) -> bool:
        """Whether the vendor answered, but so that it cannot be believed."""
        return bool(self.weather.struck[Kind.VENDOR_EMPTY] or self.weather.struck[Kind.VENDOR_CAP])

    def answered(self, node: Node, ask: Ask, request: CandleRequest, served: Served, since: float) -> None:
        """Check that an answer is true.

        ``since``: when the oldest request began that was under way in the node; nothing in the answer was read before
        or, from the memory tier, was not fresh then.
        """
        self.answers += 1
        self._in_time(node, ask)
        answer = served.answer
        name = f"{node.name} {request.cache_key} {answer.adjustment} ({served.tier})"
        if answer.request.cache_key != request.cache_key:
            raise Violation(f"{name}: answered with {answer.request.cache_key}")
        if ask.what["ticker"] == UNKNOWN_TICKER and answer.certificate.complete and answer.certificate.expected:
            raise Violation(f"{name}: an unknown ticker is answered")
        widened = request.range == Range.DAY and answer.stale and answer.request.span.end == request.span.end
        if answer.request.span != request.span and answer.fallback is None and not widened:
            raise Violation(f"{name}: another span than asked")
        self._well_formed(name, answer, answer.request)
        certificate = answer.certificate
        if served.tier == "in-memory" and node.clock.now() >= answer.fresh_until:
            raise Violation(f"{name}: served from memory after it was fresh")
        if not certificate.complete and answer.missing_reason is None:
            raise Violation(f"{name}: an incomplete answer without a reason")
        if answer.stale and answer.stale_reason is None:
            raise Violation(f"{name}: a stale answer without a reason")
        if answer.fallback is None and answer.resolution is not request.resolution:
            raise Violation(f"{name}: another resolution without a word")
        if certificate.complete:
            self.complete_answers += 1
        _AnswerCheck(self, name, answer, answer.request, since).run()

    def _in_time(self, node: Node, ask: Ask) -> None:
        paused = node.paused_seconds
        took = self.loop.time() - ask.started_at - paused
        self.longest_seconds = max(self.longest_seconds, took)
        if took > BUDGET_SECONDS:
            raise Violation(f"{ask.what} took {took:.1f} s")

    def _well_formed(self, name: str, answer: Answer, request: CandleRequest) -> None:
        candles, days = answer.candles, answer.days
        if not len(candles) == len(days) == answer.certificate.count:
            raise Violation(f"{name}: columns of different lengths")
        if answer.certificate.complete != (not answer.certificate.missing):
            raise Violation(f"{name}: the certificate contradicts itself")
        if not len(candles):
            return
        if bool((np.diff(candles.time) <= 0).any()):
            raise Violation(f"{name}: out of order")
        if not np.array_equal(candles.time // 86_400 + UNIX_EPOCH_ORDINAL, days):
            raise Violation(f"{name}: candles of other days")
        first, last = request.span.start.toordinal(), request.span.end.toordinal()
        sessions = self.truth.sessions_between(first, last)
        if not set(days.tolist()) <= set(sessions):
            raise Violation(f"{name}: a candle outside of every session")
        if answer.resolution is not Resolution.DAY:
            self._within_hours(name, answer)
        elif bool((candles.time % 86_400 != 0).any()):
            raise Violation(f"{name}: a daily candle that is not dated by midnight UTC")

    def _within_hours(self, name: str, answer: Answer) -> None:
        candles, days = answer.candles, answer.days
        distinct, starts = np.unique(days, return_index=True)
        ends = [*starts[1:].tolist(), len(days)]
        for day, low, high in zip(distinct.tolist(), starts.tolist(), ends, strict=True):
            if candles.time[low] < self.truth.opens_at(day) or candles.time[high - 1] >= self.truth.closes_at(day):
                raise Violation(f"{name}: a candle outside of the session's hours")


@dataclass(slots=True, eq=False)
class _AnswerCheck:
    """One answer against the truth.

    Sessions up to ``unsettled`` must be there and be final to the bit; later ones may be final already, or be what the
    vendor showed within the last five minutes, or empty if their row was not out then.
    """

    checks: Checks
    name: str
    answer: Answer
    request: CandleRequest
    since: float
    ticker: str = field(init=False)
    resolution: Resolution = field(init=False)
    spread: float = field(init=False)
    oldest_look: float = field(init=False)

    def __post_init__(self) -> None:
        self.ticker, self.resolution = self.request.ticker, self.answer.resolution
        self.spread = self.checks.skew_spread_seconds + SLACK_SECONDS
        self.oldest_look = 0.0 if self.answer.stale else self.since - FORMING_BELIEVED_SECONDS - self.spread

    def run(self) -> None:
        truth, answer = self.checks.truth, self.answer
        first, last = self.request.span.start.toordinal(), self.request.span.end.toordinal()
        sessions = truth.sessions_between(first, last)
        complete = answer.certificate.complete
        recent = sessions[-UNSETTLED_SESSIONS_MAX:]
        unsettled = next((day for day in recent if not self._settled(day, self.resolution)), last + 1)
        # What is given of a session that is called missing is what was held when it was still forming.
        missing_days = {date.fromisoformat(day).toordinal() for day in answer.certificate.missing}
        forming = sorted(set(answer.days[answer.days < unsettled].tolist()) & missing_days)
        settled = (answer.days < unsettled) & ~np.isin(answer.days, forming)
        wanted = truth.final(self.ticker, self.resolution, first, unsettled - 1)
        wanted_days = truth.final_days(self.ticker, self.resolution, first, unsettled - 1)
        if not complete:
            # What is missing is said to be; what is given must be right.
            given = np.isin(wanted_days, answer.days[settled])
            wanted, wanted_days = wanted[given], wanted_days[given]
        if not np.array_equal(wanted_days, answer.days[settled]):
            missing = sorted(set(wanted_days.tolist()) - set(answer.days[settled].tolist()))
            raise Violation(f"{self.name}: complete={complete}, and days {missing[:3]} of {len(missing)} are missing")
        given_candles = answer.candles[settled]
        ledgers = [ledger for ledger in self._ledgers() if self._adjusted(wanted, wanted_days, ledger) == given_candles]
        if not ledgers:
            raise Violation(f"{self.name}: candles that were final differ from the market's")
        later = [*forming, *(day for day in recent if day >= unsettled)]
        bounds = [np.searchsorted(answer.days, [day, day + 1]).tolist() for day in later]
        parts = [answer.candles[low:high] for low, high in bounds]
        possible = [list(self._possible(day)) for day in later]
        for ledger in ledgers:
            if all(
                any(self._adjusted(raw, np.full(len(raw), day), ledger) == part for raw in raws)
                for day, part, raws in zip(later, parts, possible, strict=True)
            ):
                return
        raise Violation(f"{self.name}: days from {unsettled} on are not what the vendor showed lately")

    def _settled(self, day: int, resolution: Resolution) -> bool:
        """Whether every answer must have the session by now, in its final form."""
        truth = self.checks.truth
        final_at = truth.final_at(day, resolution)
        published = truth.published_at(self.ticker, day, resolution)
        if published >= FAR_FUTURE:
            published = final_at
        believed = FORMING_BELIEVED_SECONDS
        if published >= final_at - self.spread:
            believed = _empty_believed(day, published + self.spread)
        settled = max(final_at + FORMING_BELIEVED_SECONDS, published + believed) + 2 * self.spread
        return self.since >= settled if not self.answer.stale else False

    def _possible(self, day: int) -> Iterator[Candles]:
        """Yield every raw content that the session may have in this answer."""
        checks, truth = self.checks, self.checks.truth
        published = truth.published_at(self.ticker, day, self.resolution)
        final = truth.final(self.ticker, self.resolution, day, day)
        now = checks.loop.time()
        nothing = final[:0]
        complete = self.answer.certificate.complete
        if published <= now and now >= truth.final_at(day, self.resolution) - self.spread - FORMING_BELIEVED_SECONDS:
            yield final
        due = truth.due_at(day, self.resolution)
        not_due = due > self.since - self.spread
        late = self.resolution is Resolution.DAY and (
            published > self.oldest_look or published >= truth.final_at(day, self.resolution) - self.spread
        )
        if not_due or late or published >= FAR_FUTURE or not complete:
            yield nothing
        cut_off = bool(checks.weather.struck[Kind.VENDOR_CAP])
        series = Series(self.ticker, self.answer.source, self.resolution)
        for look in checks.vendor.looks_between(series, self.oldest_look, now):
            if not look.span.start.toordinal() <= day <= look.span.end.toordinal():
                continue
            seen = truth.session_view(self.ticker, self.resolution, day, look.seen_at)
            yield seen[seen.time <= look.asked_at] if self.resolution is not Resolution.DAY else seen
            if cut_off:
                yield from (seen[:rows] for rows in range(len(seen)))

    def _ledgers(self) -> Iterator[list[Action]]:
        """Yield every ledger of actions that this answer may have been adjusted with."""
        if self.answer.adjustment is Adjustment.NONE:
            yield []
            return
        truth, now = self.checks.truth, self.checks.loop.time()
        certain: list[Action] = []
        choices: list[list[Action | None]] = []
        for action in truth.actions(self.ticker):
            if truth.published_at(self.ticker, action.day, Resolution.DAY) > now:
                continue
            given = len(self.answer.days) and action.day <= self.answer.days[-1]
            if self._settled(action.day, Resolution.DAY) and (given or self.answer.certificate.complete):
                certain.append(action)
            elif given and self.answer.stale and self._was_out(action) and action.split != 1:
                # Prices that jump over a session which the ledger does not know are not in one answer.
                choices.append(self._told(action))
            else:
                choices.append([*self._told(action), None])
        for number, chosen in enumerate(product(*choices)):
            if number >= LEDGERS_MAX:
                return
            yield certain + [action for action in chosen if action is not None]

    def _was_out(self, action: Action) -> bool:
        """Whether every look at the session, since it was due, has shown the action."""
        truth = self.checks.truth
        late = truth.late_seconds(self.ticker, action.day)
        return not late and truth.published_at(self.ticker, action.day, Resolution.DAY) <= self.since - self.spread

    def _told(self, action: Action) -> list[Action | None]:
        """Return an action with every close that its row has shown."""
        checks, truth = self.checks, self.checks.truth
        series = Series(self.ticker, self.answer.source, Resolution.DAY)
        closes = {action.close}
        for look in checks.vendor.looks_between(series, self.oldest_look, checks.loop.time()):
            row = truth.session_view(self.ticker, Resolution.DAY, action.day, look.seen_at)
            closes |= set(row.close.tolist())
        return [Action(action.day, action.dividend, action.split, close) for close in sorted(closes)]

    def _adjusted(self, candles: Candles, days: Any, ledger: list[Action]) -> Candles:
        how = self.answer.adjustment
        return adjusted(candles, days, ledger, dividends=how is Adjustment.ALL, splits=how is not Adjustment.NONE)


def _empty_believed(day: int, observed_at: float) -> float:
    """Return for how long an answer "no candle" is believed: as long as the session has been over."""
    over_for = observed_at - ((day - UNIX_EPOCH_ORDINAL) * 86_400 + 86_400)
    return min(max(over_for, EMPTY_BELIEVED_SECONDS[0]), EMPTY_BELIEVED_SECONDS[1])
