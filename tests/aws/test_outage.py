"""The engine dies under load and comes back: nobody notices but the log, the metrics and the vendor."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from contracts.dynamodb_engines import CREDENTIALS, REGION, EngineServer, dynalite
from ohlcache.adapters import aws_clients
from ohlcache.adapters.aws_clients import _reset_all_clients
from ohlcache.adapters.clock import SystemClock
from ohlcache.adapters.stores.dynamodb_schema import create_table
from ohlcache.assembly import build_cache
from ohlcache.ports import STORE_SECONDS_MAX, Metric
from ohlcache.service import guarded_store
from ohlcache.service.circuit_breaker import OPEN_SECONDS
from ohlcache.settings import Settings
from ohlcache.testing import FakeVendors, Market, RecordingTelemetry
from ohlcache.testing.market import Stock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ohlcache.service.read_through import ReadThrough

pytestmark = pytest.mark.alone

TABLE = "ohlcache-outage"
TICKERS = [f"T{number}" for number in range(60)]


class LateClock:
    """The machine's clock, set forward at will: a minute of an open breaker passes at once."""

    def __init__(self) -> None:
        self._clock = SystemClock(None)
        self.ahead_seconds = 0.0

    def now(self) -> float:
        return self._clock.now() + self.ahead_seconds

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineServer]:
    """Provide an engine of the test's own that keeps its table when it is killed."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server = dynalite(durable=True)
    server.start()
    create_table(TABLE, region=REGION, endpoint_url=server.url)
    yield server
    server.kill()


@pytest.fixture
def fake() -> Iterator[FakeVendors]:
    with FakeVendors(Market(stocks=dict.fromkeys(TICKERS, Stock("Young Company", listed=date(2024, 1, 2))))) as made:
        yield made


class Instance:
    """One instance of the cache, and everything that it says."""

    def __init__(self, cache: ReadThrough, telemetry: RecordingTelemetry, clock: LateClock) -> None:
        self.cache = cache
        self.telemetry = telemetry
        self.clock = clock

    async def tier(self, ticker: str) -> str:
        served = await self.cache.get(self.cache.parse(ticker, range="1M"))
        assert served.answer.certificate.complete
        return served.tier

    def reads(self, event: str) -> int:
        """Return how often the breaker has opened or closed for reads; under load it may for writes, too."""
        lines = [line for line in self.telemetry.lines if line.event == event]
        return sum(line.fields["operations"] == "reads" for line in lines)

    def state(self) -> str:
        return self.cache.status().breaker.state


@pytest_asyncio.fixture
async def instances(engine: EngineServer, fake: FakeVendors) -> AsyncIterator[Callable[[], object]]:
    made: list[Instance] = []

    async def make() -> Instance:
        settings = Settings(
            source="tiingo",  # type: ignore[arg-type]
            store="dynamodb",  # type: ignore[arg-type]
            table=TABLE,
            aws_region=REGION,
            dynamodb_endpoint_url=engine.url,
            tiingo_api_key="k" * 20,  # type: ignore[arg-type]
            tiingo_base_url=fake.tiingo_url,
        )
        telemetry, clock = RecordingTelemetry(), LateClock()
        cache = await build_cache(settings, telemetry=telemetry, clock=clock)
        made.append(Instance(cache, telemetry, clock))
        return made[-1]

    yield make
    for instance in made:
        await instance.cache.close()


@pytest.mark.asyncio
async def test_killed_under_load_and_restarted(
    engine: EngineServer, fake: FakeVendors, instances: Callable[..., object]
) -> None:
    """F1, E7, E8, E13, D10: no request fails; three failures open the breaker, one probe closes it; all is told."""
    instance: Instance = await instances()  # type: ignore[misc]
    assert [await instance.tier(ticker) for ticker in TICKERS[:5]] == ["tiingo"] * 5
    load = [asyncio.get_running_loop().create_task(instance.tier(ticker)) for ticker in TICKERS[5:20]]
    await asyncio.to_thread(engine.kill)
    assert set(await asyncio.gather(*load)) == {"tiingo"}
    for ticker in TICKERS[25:30]:
        assert await instance.tier(ticker) == "tiingo"
    assert instance.state() == "open"
    assert instance.reads("circuit breaker open") == 1
    failures = instance.telemetry.total(Metric.CACHE_ERROR)
    assert failures >= 3

    # While it is open nobody even asks the store, and what is in memory is still served.
    assert await instance.tier(TICKERS[30]) == "tiingo"
    assert await instance.tier(TICKERS[0]) == "in-memory"
    assert instance.telemetry.total(Metric.CACHE_ERROR) == failures

    # A probe while it is still down: one more failure, open again.
    instance.clock.ahead_seconds += OPEN_SECONDS + 1
    await asyncio.gather(*(instance.tier(ticker) for ticker in TICKERS[31:36]))
    assert instance.telemetry.total(Metric.CACHE_ERROR) == failures + 1
    assert instance.state() == "open"

    await asyncio.to_thread(engine.start)
    instance.clock.ahead_seconds += OPEN_SECONDS + 1
    assert await instance.tier(TICKERS[40]) == "tiingo"
    assert instance.state() == "closed"
    assert instance.reads("circuit breaker closed") == 1
    (story,) = {line.fields["hint"] for line in instance.telemetry.lines if line.event == "store failed"}
    assert "network route" in str(story)
    assert instance.reads("circuit breaker open") == 2

    # What was written before the outage and after it is there for others.
    other: Instance = await instances()  # type: ignore[misc]
    assert [await other.tier(ticker) for ticker in (TICKERS[0], TICKERS[40])] == ["dynamodb", "dynamodb"]
    assert max(Counter(call.ticker for call in fake.calls).values()) == 1


@pytest.mark.asyncio
async def test_a_cold_start_after_an_outage_does_not_stampede(
    fake: FakeVendors, instances: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F7, E28: five cold instances with a hundred callers: one call per ticker, and every breaker stays closed."""
    # This is about herds, not about time-outs, which an emulator on a busy machine may well reach.
    monkeypatch.setattr(aws_clients, "READ_TIMEOUT_SECONDS", 20.0)
    monkeypatch.setattr(guarded_store, "STORE_SECONDS_MAX", 20.0)
    _reset_all_clients()
    fleet: list[Instance] = [await instances() for _ in range(5)]  # type: ignore[misc]
    wanted = TICKERS[:4]
    await asyncio.gather(*(instance.tier(ticker) for instance in fleet for ticker in wanted * 5))
    assert Counter(call.ticker for call in fake.calls) == dict.fromkeys(wanted, 1)
    assert {instance.state() for instance in fleet} == {"closed"}
    assert sum(instance.telemetry.total(Metric.CACHE_ERROR) for instance in fleet) == 0


@pytest.mark.asyncio
async def test_an_outage_does_not_slow_anybody_down(
    engine: EngineServer, instances: Callable[..., object], tolerance: Callable[[float], float]
) -> None:
    """D10, Q4: with the engine gone, an answer comes at the vendor's pace, not at the store's time-outs."""
    instance: Instance = await instances()  # type: ignore[misc]
    await asyncio.to_thread(engine.kill)
    loop = asyncio.get_running_loop()
    for ticker in TICKERS[:8]:
        began = loop.time()
        await instance.tier(ticker)
        assert loop.time() - began < tolerance(2.5)


@pytest.mark.asyncio
async def test_an_engine_that_hangs_is_given_up(
    engine: EngineServer, instances: Callable[..., object], tolerance: Callable[[float], float]
) -> None:
    """E11, F1, W4: a request waits for it once; three of them open the breaker, then answers are quick again."""
    instance: Instance = await instances()  # type: ignore[misc]
    assert await instance.tier(TICKERS[0]) == "tiingo"
    assert engine.process is not None
    engine.process.send_signal(signal.SIGSTOP)
    loop = asyncio.get_running_loop()
    for ticker in TICKERS[1:4]:
        began = loop.time()
        assert await instance.tier(ticker) == "tiingo"
        assert loop.time() - began < tolerance(STORE_SECONDS_MAX + 1.5)
    assert instance.state() == "open"
    began = loop.time()
    assert await instance.tier(TICKERS[4]) == "tiingo"
    assert loop.time() - began < tolerance(1.5)
    engine.process.send_signal(signal.SIGCONT)


@pytest.mark.asyncio
async def test_invalidation_says_when_it_did_not_happen(engine: EngineServer, instances: Callable[..., object]) -> None:
    """T4: with the table out of reach a caller must know that it was not cleared."""
    from ohlcache.domain.errors import NotCleared

    instance: Instance = await instances()  # type: ignore[misc]
    await instance.tier(TICKERS[0])
    await asyncio.to_thread(engine.kill)
    with pytest.raises(NotCleared, match=f"could not be cleared of {TICKERS[0]}") as refused:
        await instance.cache.invalidate_all_caches(TICKERS[0])
    assert "cannot be reached" in refused.value.hint
