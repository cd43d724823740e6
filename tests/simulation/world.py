"""One run: a fleet, a store, a vendor and some weeks of market, from one seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zlib import crc32

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.domain.errors import OhlcacheError
from ohlcache.domain.market_time import NEW_YORK, instant_at, market_date
from ohlcache.domain.resolution import Resolution

from .checks import Checks, Violation
from .nodes import Ask, Node, NodeClock
from .store import StoreServer
from .truth import TICKERS, UNKNOWN_TICKER, Truth, truth_of
from .vendor import VendorServer
from .virtual_loop import VirtualLoop
from .weather import Kind, Weather

if TYPE_CHECKING:
    from collections.abc import Callable

    from ohlcache.domain.answer import Served

NODES_MIN = 20
NODES_MAX = 24
MARKETS = 14
STEPS_DEFAULT = 4
HERD_SIZES = (1, 2, 3, 6, NODES_MAX)
HERD_WEIGHTS = (10, 5, 3, 1.5, 0.3)
FINAL_LIFE_SECONDS = 90 * 86_400.0
WEEKS_MAX = 8
SKEW_SECONDS_MAX = 300.0
HEAL_SECONDS = 120.0
TRACE_LINES_SHOWN = 40


@dataclass(slots=True)
class Report:
    """What one run did."""

    seed: int
    steps: int
    requests: int = 0
    answers: int = 0
    complete: int = 0
    refusals: int = 0
    vendor_calls: int = 0
    store_operations: int = 0
    turns: int = 0
    longest_seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    digest: int = 0


class SimulationFailed(AssertionError):
    """A run broke a promise; the message says which, and how to replay it."""


def simulate(seed: int, steps: int = STEPS_DEFAULT, *, tell: Callable[[World, str], None] | None = None) -> Report:
    """Run one seed; SimulationFailed with a replay command if anything that must hold does not.

    ``tell`` hears every line of the trace as it is written.
    """
    world = World(seed, steps)
    world.tell = tell
    try:
        world.loop.run(world.live())
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt):
            raise
        lines = "\n".join(world.trace[-TRACE_LINES_SHOWN:])
        raise SimulationFailed(
            f"seed {seed}, {steps} steps: {type(exc).__name__}: {exc}\n"
            f"replay: python -m tests.simulation --seed {seed} --steps {steps} --trace\n{lines}"
        ) from exc
    finally:
        world.loop.abandon()
    return world.report()


class World:
    """Everything there is."""

    def __init__(self, seed: int, steps: int) -> None:
        self.seed, self.steps = seed, steps
        self.dice = random.Random(f"{seed} script")
        self.truth: Truth = truth_of(self.dice.randrange(MARKETS))
        start = instant_at(self.truth.start, time(self.dice.randrange(24), self.dice.randrange(60)))
        self.loop = VirtualLoop(random.Random(f"{seed} order"), start)
        self.weather = Weather.drawn(random.Random(f"{seed} weather"))
        self.checks = Checks(self.loop, self.truth, self.weather, FINAL_LIFE_SECONDS)
        self.store = StoreServer(
            self.loop, random.Random(f"{seed} store"), self.weather, FINAL_LIFE_SECONDS, self.checks
        )
        quota = self.dice.choice((3, 10, 40)) if Kind.VENDOR_QUOTA in self.weather.chances else None
        self.vendor = VendorServer(self.loop, random.Random(f"{seed} vendor"), self.weather, self.truth, quota)
        self.checks.store, self.checks.vendor = self.store, self.vendor
        self.nodes = [
            Node(
                f"n{number}",
                self.loop,
                self.checks,
                self.store,
                self.vendor,
                NodeClock(self.loop),
                FINAL_LIFE_SECONDS,
            )
            for number in range(self.dice.randint(NODES_MIN, NODES_MAX))
        ]
        self.asks = 0
        self.trace: list[str] = []
        self.digest = 0
        self.tell: Callable[[World, str], None] | None = None
        self.callers: list[asyncio.Task[Any]] = []
        self.favourites: list[dict[str, Any]] = []
        if Kind.SKEW in self.weather.chances:
            for node in self.nodes:
                self._skew(node)

    def report(self) -> Report:
        """Return what was done."""
        checks = self.checks
        return Report(
            self.seed,
            self.steps,
            self.asks,
            checks.answers,
            checks.complete_answers,
            checks.refusals,
            self.vendor.calls,
            self.store.operations,
            self.loop.turns,
            checks.longest_seconds,
            Counter({kind.value: count for kind, count in self.weather.struck.items()}),
            self.digest,
        )

    def note(self, line: str) -> None:
        """Write one line of the trace."""
        if self.tell is not None:
            self.tell(self, line)
        line = f"{self.loop.time():.3f} {line}"
        self.digest = crc32(line.encode(), self.digest)
        self.trace.append(line)

    def when(self) -> str:
        """Return the true instant in New York."""
        return datetime.fromtimestamp(self.loop.time(), NEW_YORK).isoformat(" ", "milliseconds")

    # --- the script ----------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Do everything that is drawn, then let the weather clear up and see that all is well."""
        end = instant_at(self.truth.start + timedelta(weeks=WEEKS_MAX), time())
        for _ in range(self.steps):
            self._something_happens()
            self._ask_something()
            await self.loop.sleep(self._pause(end))
            self._between_requests()
        await self._heal()

    def _something_happens(self) -> None:
        weather, dice = self.weather, self.dice
        if weather.calm:
            return
        now = self.loop.time()
        for kind in (Kind.STORE_OUTAGE, Kind.STORE_THROTTLE, Kind.VENDOR_DOWN, Kind.VENDOR_QUOTA, Kind.VENDOR_HANG):
            if kind in weather.chances and dice.random() < 0.15:
                weather.open_window(kind, now + dice.choice((2.0, 30.0, 600.0, 7200.0)))
        if weather.strikes(Kind.SKEW):
            self._skew(dice.choice(self.nodes))
        if weather.strikes(Kind.INVALIDATE):
            node, ticker = dice.choice(self.nodes), dice.choice(TICKERS)
            self.note(f"invalidate {ticker} at {node.name}")
            for each in self.nodes:
                each.invalidated_at = now
            self.callers.append(node.run(self._invalidate(node, ticker)))

    def _ask_something(self) -> None:
        dice = self.dice
        herd = min(dice.choices(HERD_SIZES, HERD_WEIGHTS)[0], len(self.nodes))
        if self.favourites and dice.random() < 0.35:
            what = dice.choice(self.favourites)
        else:
            what = self._draw_request()
            self.favourites.append(what)
        nodes = dice.choices(self.nodes, k=herd) if dice.random() < 0.5 else dice.sample(self.nodes, herd)
        for node in nodes:
            wanted = what if dice.random() < 0.8 else self._draw_request(what["ticker"])
            self.asks += 1
            ask = Ask(self.asks, wanted, self.loop.time())
            caller = node.run(self._caller(node, ask, dice.random() * dice.choice((0.0, 0.3, 4.0))), ask)
            self.callers.append(caller)
            if self.weather.strikes(Kind.CANCEL):
                ask.cancelled = True
                self.loop.call_later(dice.random() * 3, caller.cancel)
        for node in dict.fromkeys(nodes):
            # A crash or a pause strikes those who are at work, at a moment of its own.
            if self.weather.strikes(Kind.CRASH):
                self.loop.call_later(dice.random() * dice.choice((0.05, 1.0, 8.0)), self._crash, node)
            if self.weather.strikes(Kind.PAUSE):
                moment, length = dice.random() * 1.5, dice.choice((0.5, 5.0, 40.0))
                self.loop.call_later(moment, self._pause_node, node, length)

    def _draw_request(self, ticker: str | None = None) -> dict[str, Any]:
        dice = self.dice
        ticker = ticker or dice.choices((*TICKERS, UNKNOWN_TICKER), (6, 4, 3, 2, 2, 0.3))[0]
        resolution = dice.choices(("D", "5", "60", "30", "1"), (10, 4, 3, 1, 1))[0]
        what: dict[str, Any] = {"ticker": ticker, "resolution": resolution}
        adjust = dice.choice((None, "splits", "all", "all", "none"))
        if adjust is not None:
            what["adjust"] = adjust
        if dice.random() < 0.07:
            what["retry"] = True
        today = market_date(self.loop.time() - SKEW_SECONDS_MAX)
        if resolution == "D":
            ranges, back = ("1D", "1W", "1M", "3M", "6M", "1Y", "5Y", "YTD"), 400
        else:
            ranges, back = ("1D", "1W", "1M") if resolution != "1" else ("1D",), 40 if resolution != "1" else 4
        if dice.random() < 0.6:
            what["range"] = dice.choice(ranges)
        else:
            end = today - timedelta(days=int(dice.random() ** 2 * back))
            what["start_date"] = end - timedelta(days=int(dice.random() ** 2 * back))
            what["end_date"] = end
        return what

    def _pause(self, end: float) -> float:
        """Return how long until the next thing: now, in minutes, just about when something falls due, or days later."""
        dice, now = self.dice, self.loop.time()
        kind = dice.choices(("at once", "minutes", "due", "days"), (4, 3, 5, 2))[0]
        if now > end or kind == "at once":
            return dice.random() * 3
        if kind == "minutes":
            return dice.random() * 500
        if kind == "days":
            return dice.uniform(0.5, 3.5) * 86_400
        moments = sorted(moment for moment in self._moments(now) if moment > now + 10)
        offset = dice.choice((-0.3, 0.0, 0.05, 1.0, 120.0, 299.0, 301.0, 1900.0))
        return max(0.0, dice.choice(moments[:8]) + offset - now)

    def _moments(self, now: float) -> list[float]:
        """Return instants of the next days at which something changes."""
        moments: list[float] = []
        today = market_date(now)
        for ahead in range(4):
            day = today + timedelta(days=ahead)
            moments += [instant_at(day, time()), float(int(now // 86_400 + ahead + 1) * 86_400)]
            if self.truth.sessions_between(day.toordinal(), day.toordinal()):
                ordinal = day.toordinal()
                opened = self.truth.opens_at(ordinal)
                final = self.truth.final_at(ordinal, Resolution.MINUTE)
                moments += [opened, opened + 300, opened + 3600, self.truth.closes_at(ordinal), final - 300, final]
                moments += [instant_at(day, time(17, 30)), instant_at(day, time(20, 0))] * 2
                moments += [
                    self.truth.published_at(ticker, ordinal, Resolution.DAY)
                    for ticker in TICKERS
                    if self.truth.late_seconds(ticker, ordinal)
                ]
        return moments

    # --- what happens to nodes -----------------------------------------------------------------------------------

    async def _caller(self, node: Node, ask: Ask, after_seconds: float) -> None:
        await self.loop.sleep(after_seconds)
        ask.started_at = self.loop.time()
        node.under_way[ask.number] = ask
        paused = node.paused_seconds
        life = node.life
        try:
            request = node.cache.parse(**{name: wish for name, wish in ask.what.items() if name != "retry"})
            since = min(other.started_at for other in node.under_way.values())
            try:
                served = await node.cache.get(request, retry="retry" in ask.what)
            except OhlcacheError as exc:
                self.note(f"{node.name} {request.cache_key} refused {exc.code}")
                ask.started_at += node.paused_seconds - paused
                self.checks.refused(node, ask, exc, since)
            else:
                self.note(
                    f"{node.name} {request.cache_key} {served.tier} {len(served.answer.candles)}"
                    f" {served.answer.certificate.complete} {served.answer.stale}"
                )
                ask.started_at += node.paused_seconds - paused
                ask.served = served
                self.checks.answered(node, ask, request, served, since)
        except asyncio.CancelledError:
            if not ask.cancelled and node.life == life:
                failure = Violation(f"{ask.what} at {node.name} was cancelled with another caller")
                self.loop.failure = self.loop.failure or failure
            raise
        except BaseException as exc:  # noqa: BLE001 - whatever it is, the run ends with it
            self.loop.failure = self.loop.failure or exc
        finally:
            if node.life == life:
                node.under_way.pop(ask.number, None)

    async def _invalidate(self, node: Node, ticker: str) -> None:
        try:
            await node.cache.invalidate_all_caches(ticker)
        except OhlcacheError:
            self.note(f"invalidation of {ticker} refused")

    def _crash(self, node: Node) -> None:
        self.note(f"crash {node.name}")
        node.crash()

    def _pause_node(self, node: Node, seconds: float) -> None:
        self.note(f"pause {node.name} for {seconds}")
        node.paused_seconds += seconds
        self.loop.pause(node.process, seconds)

    def _skew(self, node: Node) -> None:
        reach = self.dice.choice((1.0, 20.0, SKEW_SECONDS_MAX))
        node.clock.skew_seconds = self.dice.uniform(-reach, reach)
        # What was stamped with the old skew is still about, so the spread never shrinks.
        skews = [0.0, *(each.clock.skew_seconds for each in self.nodes)]
        self.checks.skew_spread_seconds = max(self.checks.skew_spread_seconds, max(skews) - min(skews))
        self.note(f"skew {node.name} {node.clock.skew_seconds:.1f}")

    def _between_requests(self) -> None:
        self.checks.leases_given_back()
        self.store.sweep()
        self.callers = [caller for caller in self.callers if not caller.done()]
        for node in self.nodes:
            memory = node.memory.statistics()
            if memory.entries > memory.entries_max or memory.bytes > memory.bytes_max or memory.bytes < 0:
                raise Violation(f"{node.name}: the memory tier is beyond its bounds: {memory}")

    # --- the end -------------------------------------------------------------------------------------------------

    async def _heal(self) -> None:
        """Let everything go well again: whatever is asked must be answered, and asked once more cost no vendor call."""
        self.note("heal")
        await self.loop.sleep(HEAL_SECONDS)
        self.weather.clear_up()
        self.vendor.calls_per_hour = None
        for node in self.nodes:
            node.clock.skew_seconds = 0.0
        await self.loop.sleep(4 * HEAL_SECONDS + self.checks.skew_spread_seconds)
        first, second = self.dice.sample(self.nodes, 2)
        for what in [what for what in self.favourites if what["ticker"] != UNKNOWN_TICKER][-1:]:
            # Behind a breaker that is closing again, only the probe reaches the store.
            well = all(node.breaker.state.state == "closed" for node in (first, second))
            one = await self._ask_well(first, what)
            calls = self.vendor.calls
            two = await self._ask_well(second, what)
            unchanged = min(one.answer.fresh_until, two.answer.fresh_until) > self.loop.time()
            # What memory had may never have reached the store; what nothing bears out is kept nowhere.
            kept = one.tier != IN_MEMORY and one.believed and two.believed
            if well and unchanged and kept and self.vendor.calls != calls:
                raise Violation(f"{what} was fetched for {first.name} and again for {second.name}")
        await self.loop.sleep(HEAL_SECONDS)
        self.checks.leases_given_back()
        for node in self.nodes:
            left = node.process.tasks()
            if left:
                raise Violation(f"{node.name} still runs {left}")
            if node.breaker.state.state == "open":
                raise Violation(f"{node.name}: the breaker is still open")

    async def _ask_well(self, node: Node, what: dict[str, Any]) -> Served:
        """Return the answer to a request that nothing stands in the way of."""
        self.asks += 1
        ask = Ask(self.asks, what, self.loop.time())
        await node.run(self._caller(node, ask, 0.0), ask)
        if ask.served is None:
            raise Violation(f"{what} is not answered though all is well")
        return ask.served
