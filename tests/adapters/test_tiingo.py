"""The Tiingo client over a real socket: what it asks, what it does when refused, what it never says."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pytest
from blockbuster import blockbuster_ctx

from adapters.vendor_rig import EVENING, JUNE, KEY, MARKET, rig, series, span
from ohlcache.adapters.vendors import vendor_http
from ohlcache.adapters.vendors.finnhub import FinnhubVendor
from ohlcache.adapters.vendors.tiingo import TiingoVendor
from ohlcache.adapters.vendors.vendor_http import HttpPool
from ohlcache.adapters.vendors.vendor_key import FixedKey
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    QuotaExceeded,
    TickerNotFound,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.ports import Metric, QuotaState
from ohlcache.testing import FakeClock, FakeVendors, Fault, RecordingTelemetry
from ohlcache.testing.market import Labels

pytestmark = pytest.mark.asyncio


async def test_a_daily_fetch_is_one_call() -> None:
    """B1, B3: one call brings every raw candle of the span, exact."""
    async with rig("tiingo") as r:
        answer = await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert answer.candles == r.market.daily("AAPL", JUNE, r.clock.now()).candles
        (call,) = r.fake.calls
        assert call.path == "/tiingo/daily/AAPL/prices"
        assert call.query == {
            "startDate": "2024-06-03", "endDate": "2024-06-14", "format": "json", "resampleFreq": "daily",
        }  # fmt: skip


async def test_splits_and_dividends_come_along() -> None:
    """G12: a span over a split and dividends brings them as actions, with the raw closes of their ex-dates."""
    wide = span("2020-01-02", "2024-06-14")
    async with rig("tiingo") as r:
        answer = await r.vendor.fetch(series("AAPL", "tiingo"), wide)
        assert answer.actions == r.market.daily("AAPL", wide, r.clock.now()).actions
        assert 4.0 in answer.actions.splits.tolist()
        assert np.count_nonzero(answer.actions.dividends) > 10


async def test_the_adjusted_columns_agree_with_the_domain() -> None:
    """The fake's adjusted prices, by the documented formula row by row, are what the domain's columns give."""
    from ohlcache.domain.adjustment import Adjustment, adjust
    from ohlcache.testing.tiingo_bodies import adjustment_factors

    async with rig("tiingo") as r:
        life = r.market.listing("AAPL", r.clock.now())
        assert life is not None
        rows = r.market.daily("AAPL", life, r.clock.now())
        price, _ = adjustment_factors(rows)
        adjusted = adjust(rows.candles, rows.days.astype(np.int32), rows.actions, Adjustment.ALL)
        assert adjusted.close == pytest.approx(rows.candles.close * price, rel=1e-12)


@pytest.mark.parametrize("resolution", [r for r in Resolution if not r.is_daily])
async def test_an_intraday_fetch_asks_for_the_volume(resolution: Resolution) -> None:
    """B2, K3: minutes on the wire, hours as half hours that begin with the bell; no filler, no extended hours."""
    async with rig("tiingo") as r:
        answer = await r.vendor.fetch(series("MSFT", "tiingo", resolution), JUNE)
        bars = r.market.bars("MSFT", resolution, JUNE, r.clock.now(), labels=Labels.BELL)
        assert answer.candles == bars
        assert answer.candles.volume.min() > 0
        (call,) = r.fake.calls
        assert call.path == "/iex/MSFT/prices"
        assert call.query["resampleFreq"] == ("30min" if resolution is Resolution.HOUR else f"{resolution.value}min")
        assert call.query["columns"] == "open,high,low,close,volume"
        assert (call.query["afterHours"], call.query["forceFill"]) == ("false", "false")


async def test_class_shares_take_a_dash() -> None:
    """G4: BRK.B is asked for as BRK-B."""
    async with rig("tiingo") as r:
        assert len((await r.vendor.fetch(series("BRK.B", "tiingo"), JUNE)).candles) == 10
        assert r.fake.calls[0].path == "/tiingo/daily/BRK-B/prices"


async def test_a_fetch_is_one_call_also_when_it_brings_nothing() -> None:
    """L4: what else must be known is asked for by whoever needs it."""
    async with rig("tiingo") as r:
        for resolution in (Resolution.DAY, Resolution.HOUR):
            answer = await r.vendor.fetch(series("NEWCO", "tiingo", resolution), span("2020-01-02", "2020-01-31"))
            assert (len(answer.candles), answer.listing) == (0, None)
        assert len(r.fake.calls) == 2


async def test_an_empty_answer_is_explained_by_the_listing() -> None:
    """G8, G11: the dates of the ticker's daily rows, in one call."""
    async with rig("tiingo") as r:
        before = await r.vendor.listing(series("NEWCO", "tiingo"), span("2020-01-02", "2020-01-31"))
        assert before == Span(date(2024, 3, 21), date(2024, 6, 14))
        after = await r.vendor.listing(series("TWTR", "tiingo"), JUNE)
        assert after == Span(date(2013, 11, 7), date(2022, 10, 27))
        assert [call.path for call in r.fake.calls] == ["/tiingo/daily/NEWCO", "/tiingo/daily/TWTR"]


async def test_a_first_day_is_asked_for_once() -> None:
    """G11: it is remembered for spans before the listing; a last day may still move and is asked for again."""
    async with rig("tiingo") as r:
        for resolution in (Resolution.DAY, Resolution.HOUR):
            for first in ("2020-01-02", "2019-01-02"):
                listing = await r.vendor.listing(series("NEWCO", "tiingo", resolution), span(first, "2020-01-31"))
                assert listing == Span(date(2024, 3, 21), date(2024, 6, 14))
        assert len(r.fake.calls) == 1
        assert await r.vendor.listing(series("NEWCO", "tiingo"), JUNE) == listing
        assert len(r.fake.calls) == 2


async def test_a_failed_metadata_call_leaves_the_listing_unknown() -> None:
    """An answer that came is not lost because its explanation did not."""
    async with rig("tiingo") as r:
        r.fake.tiingo.faults.then(Fault.SERVER_ERROR, Fault.TOO_MANY)
        for _ in range(2):
            assert await r.vendor.listing(series("AAPL", "tiingo"), JUNE) is None


async def test_an_unknown_ticker_is_not_found() -> None:
    """E4, E20: daily and intraday, by name."""
    async with rig("tiingo") as r:
        for resolution in (Resolution.DAY, Resolution.MINUTES_5):
            with pytest.raises(TickerNotFound, match="ZZZZ"):
                await r.vendor.fetch(series("ZZZZ", "tiingo", resolution), JUNE)


async def test_a_rotated_key_is_refreshed_once() -> None:
    """E10, E30: 401, the new key, the answer: two calls."""
    async with rig("tiingo", "old", "new") as r:
        r.fake.tiingo.key = "new"
        assert len((await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)).candles) == 10
        assert [call.outcome for call in r.fake.calls] == ["401", "ok"]
        assert r.key.refreshed == 1


async def test_a_key_that_stays_wrong_is_bad_credentials() -> None:
    """E10, E23: refreshed once, tried once more, then an error; a key that does not change is not tried twice."""
    async with rig("tiingo", "old", "older") as r:
        r.fake.tiingo.key = "another"
        with pytest.raises(BadVendorCredentials):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert len(r.fake.calls) == 2
        with pytest.raises(BadVendorCredentials):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert len(r.fake.calls) == 3
        assert r.key.refreshed == 2


@pytest.mark.parametrize("key", ["", "  ", "with\nline", "with\r\nX-Other: line"])
async def test_a_key_that_is_none_costs_no_call(key: str) -> None:
    """S1: neither an empty key nor one with line ends goes out, and the error does not repeat it."""
    async with rig("tiingo", key) as r:
        with pytest.raises(BadVendorCredentials) as raised:
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert "line" not in str(raised.value)
        assert r.fake.calls == []


async def test_a_wait_that_the_vendor_gave_is_handed_on() -> None:
    """F4, E29: as the vendor's own, which the service keeps to; the client asks whenever it is asked to."""
    async with rig("tiingo", calls_per_hour=50) as r:
        r.fake.tiingo.faults.then((Fault.TOO_MANY, 30))
        with pytest.raises(QuotaExceeded) as raised:
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert (raised.value.retry_after_seconds, raised.value.stated_by_vendor) == (30, True)
        assert r.vendor.quota().blocked_until == r.clock.now() + 30
        assert len((await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)).candles) == 10
        assert r.vendor.quota().blocked_until is None


async def test_a_wait_that_was_only_worked_out_does_not_stop_asking() -> None:
    """F4: without Retry-After the next request asks again, so that an upgraded plan works at once."""
    async with rig("tiingo") as r:
        r.fake.tiingo.faults.then(Fault.QUOTA_TEXT)
        with pytest.raises(QuotaExceeded) as raised:
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert not raised.value.stated_by_vendor
        assert r.vendor.quota().blocked_until is not None
        assert len((await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)).candles) == 10
        assert r.vendor.quota().blocked_until is None


async def test_quota_counts_the_calls_of_the_hour() -> None:
    """The count begins anew with the hour; the allowance is the setting's."""
    async with rig("tiingo", calls_per_hour=50) as r:
        await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        await r.vendor.fetch(series("MSFT", "tiingo"), JUNE)
        assert (r.vendor.quota().calls, r.vendor.quota().allowance) == (2, 50)
        r.clock.set(r.clock.now() + 3600)
        assert r.vendor.quota().calls == 0
        await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert r.vendor.quota().calls == 1


async def test_the_hour_s_calls_are_kept_to() -> None:
    """F4: once they are made the vendor is not asked until the next hour: candles, listings, suggestions and checks alike."""
    async with rig("tiingo", calls_per_hour=3) as r:
        await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert await r.vendor.listing(series("AAPL", "tiingo"), JUNE) is not None
        assert len(await r.vendor.suggest("AA", 5)) == 1
        until = (r.clock.now() // 3600 + 1) * 3600
        assert r.vendor.quota() == QuotaState(3, 3, until)
        for _ in range(3):
            with pytest.raises(QuotaExceeded, match="3 vendor calls") as raised:
                await r.vendor.fetch(series("MSFT", "tiingo"), JUNE)
            assert r.clock.now() + (raised.value.retry_after_seconds or 0) == until
        assert await r.vendor.listing(series("MSFT", "tiingo"), JUNE) is None
        assert await r.vendor.suggest("MS", 5) == ()
        with pytest.raises(QuotaExceeded):
            await r.vendor.check()
        assert len(r.fake.calls) == 3
        assert r.telemetry.total(Metric.VENDOR_CALLS) == 3
        r.clock.set(until)
        await r.vendor.fetch(series("MSFT", "tiingo"), JUNE)
        assert r.vendor.quota() == QuotaState(1, 3, None)


async def test_many_at_once_do_not_go_beyond_the_hour_s_calls() -> None:
    """F4: checked and counted in one step."""
    async with rig("tiingo", calls_per_hour=3) as r:
        asked = [
            r.vendor.fetch(series(ticker, "tiingo"), JUNE) for ticker in ("AAPL", "MSFT", "IBM", "F", "SPY", "META")
        ]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes) == 3
        assert len(r.fake.calls) == 3


@pytest.mark.parametrize(("allowed", "calls"), [(1, 1), (2, 2), (None, 2)])
async def test_a_second_try_with_a_new_key_counts(allowed: int | None, calls: int) -> None:
    """F4, E10: it is a call like any other, and not made where the hour has none left."""
    async with rig("tiingo", "old", "new", calls_per_hour=allowed) as r:
        r.fake.tiingo.key = "new"
        if calls == 1:
            with pytest.raises(BadVendorCredentials):
                await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        else:
            assert len((await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)).candles) == 10
        assert len(r.fake.calls) == r.vendor.quota().calls == calls


async def test_without_an_allowance_nothing_is_throttled() -> None:
    """F4: what is not set is not known."""
    async with rig("tiingo") as r:
        for _ in range(60):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert (r.vendor.quota().calls, r.vendor.quota().blocked_until) == (60, None)


async def test_a_vendor_that_hangs_is_unavailable() -> None:
    """E5: the time-out ends the call."""
    async with rig("tiingo", timeout_seconds=0.2) as r:
        r.fake.tiingo.faults.set(Fault.HANG)
        with pytest.raises(VendorUnavailable):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)


async def test_loading_the_client_is_not_the_vendor_s_time() -> None:
    """E5: the time-out is for the vendor; on a busy machine the client alone takes longer to load."""

    class SlowToLoad(HttpPool):
        async def prepare(self) -> None:
            loop = asyncio.get_running_loop()
            loaded = loop.create_future()
            loop.call_later(2.5, loaded.set_result, None)
            await loaded
            await super().prepare()

    async with rig("tiingo", timeout_seconds=2.0, pool=SlowToLoad()) as r:
        assert len((await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)).candles) == 10


async def test_redirects_stay_with_the_host() -> None:
    """S1: a redirect to the same host is followed; another host never gets the key; circles end."""
    async with rig("tiingo") as r:
        r.fake.tiingo.faults.then(Fault.REDIRECT)
        assert len((await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)).candles) == 10
        r.fake.reset()
        r.fake.tiingo.faults.then(Fault.REDIRECT_AWAY)
        with pytest.raises(VendorUnavailable):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert len(r.fake.calls) == 1
        r.fake.tiingo.faults.set(Fault.REDIRECT)
        with pytest.raises(VendorUnavailable):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)


async def test_nobody_listens() -> None:
    """E5: a refused connection is an unavailable vendor, whose message names no address."""
    async with rig("tiingo") as r:
        port = r.fake.port
        await r.fake.stop()
        with pytest.raises(VendorUnavailable) as raised:
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert str(port) not in str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__context__ is None


async def test_calls_are_counted_timed_and_logged_without_secrets() -> None:
    """S1: every call leaves a count by outcome, a duration and a line; no key, no address, no query."""
    async with rig("tiingo") as r:
        r.fake.tiingo.faults.then(None, Fault.SERVER_ERROR)
        await r.vendor.fetch(series("AAPL", "tiingo", Resolution.MINUTES_30), JUNE)
        with pytest.raises(VendorUnavailable):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert r.telemetry.total(Metric.VENDOR_CALLS, source="tiingo", outcome="ok") == 1
        assert r.telemetry.total(Metric.VENDOR_CALLS, source="tiingo", outcome="vendor_unavailable") == 1
        assert len(r.telemetry.values(Metric.VENDOR_SECONDS, source="tiingo")) == 2
        first, second = (line.fields for line in r.telemetry.lines)
        assert (first["ticker"], first["resolution"], first["rows"], first["outcome"]) == ("AAPL", "30", 130, "ok")
        assert first["span"] == "2024-06-03..2024-06-14"
        assert second["outcome"] == "vendor_unavailable"
        for never in (KEY, "http", str(r.fake.port), "startDate", "columns"):
            assert never not in r.telemetry.text()


async def test_the_key_travels_in_the_header_only() -> None:
    """S1: no address ever holds the key."""
    async with rig("tiingo") as r:
        await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        await r.vendor.check()
        await r.vendor.suggest("AA", 5)
        assert {call.key for call in r.fake.calls} == {"header"}
        assert KEY not in str(r.fake.calls)
        assert KEY not in repr(vars(r.vendor))


async def test_suggestions_are_asked_once_a_day() -> None:
    """Two letters or more, remembered whatever their case; a failure is an empty list and not remembered."""
    async with rig("tiingo") as r:
        assert list(await r.vendor.suggest("A", 5)) == []
        r.fake.tiingo.faults.then(Fault.SERVER_ERROR)
        assert list(await r.vendor.suggest("br", 5)) == []
        assert [info.ticker for info in await r.vendor.suggest("br", 5)] == ["BRK.B"]
        assert [info.ticker for info in await r.vendor.suggest("BR", 5)] == ["BRK.B"]
        assert len(r.fake.calls) == 2
        r.clock.set(r.clock.now() + 86_400)
        await r.vendor.suggest("br", 5)
        assert len(r.fake.calls) == 3


async def test_a_call_that_is_cancelled_is_counted_too() -> None:
    """What was asked was asked: it counts against the allowance."""
    async with rig("tiingo") as r:
        r.fake.tiingo.faults.set(Fault.HANG)
        task = asyncio.ensure_future(r.vendor.fetch(series("AAPL", "tiingo"), JUNE))
        while not r.fake.calls:
            await asyncio.wait({task}, timeout=0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert r.vendor.quota().calls == 1
        assert r.telemetry.total(Metric.VENDOR_CALLS, outcome="cancelled") == 1


async def test_the_event_loop_is_never_blocked() -> None:
    """S10: a call, the first with its import included, does nothing that blocks."""
    async with rig("tiingo") as r:
        with blockbuster_ctx(scanned_modules=["ohlcache.adapters"]):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
            await r.vendor.fetch(series("AAPL", "tiingo", Resolution.HOUR), JUNE)


async def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """E12: memory is bounded, whatever a vendor sends."""
    monkeypatch.setattr(vendor_http, "BODY_BYTES_MAX", 1000)
    async with rig("tiingo") as r:
        with pytest.raises(VendorGarbage):
            await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)


async def test_vendors_may_share_one_pool() -> None:
    """F5: one set of connections per process; closing both is closing it once."""
    clock, telemetry, pool = FakeClock(EVENING), RecordingTelemetry(), HttpPool()
    async with FakeVendors(MARKET, clock) as fake:
        vendors = [
            kind(base_url=fake.url, key=FixedKey(KEY), clock=clock, telemetry=telemetry, timeout_seconds=5.0, pool=pool)
            for kind in (TiingoVendor, FinnhubVendor)
        ]
        for vendor in vendors:
            assert len((await vendor.fetch(series("AAPL", vendor.name), JUNE)).candles) == 10
        for vendor in vendors:
            await vendor.close()


async def test_a_fixed_key_does_not_show() -> None:
    """S1: not even in its own description."""
    assert KEY not in repr(FixedKey(KEY))
    assert await FixedKey(KEY).get(refresh=True) == KEY


async def test_check_says_what_is_well_or_raises() -> None:
    """A sentence for the operator, or the typed error."""
    async with rig("tiingo") as r:
        assert "accepts the key" in await r.vendor.check()
        r.fake.tiingo.faults.then(Fault.FORBIDDEN)
        with pytest.raises(NotEntitled):
            await r.vendor.check()


async def test_one_call_brings_forty_years() -> None:
    """E12, G13: all of a ticker's life is one daily call."""
    life = Span(date(1980, 12, 12), date(2024, 6, 14))
    async with rig("tiingo") as r:
        assert len((await r.vendor.fetch(series("AAPL", "tiingo"), life)).candles) > 10_900
        assert len(r.fake.calls) == 1


async def test_errors_are_vendor_errors_whatever_the_status() -> None:
    """E3: no exception of the HTTP library ever comes out."""
    async with rig("tiingo") as r:
        for status in (400, 402, 405, 409, 410, 422, 500, 501, 502, 503, 504, 520, 599):
            r.fake.tiingo.faults.then((Fault.SERVER_ERROR, status))
            with pytest.raises(VendorError):
                await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)


async def test_a_vendor_closed_twice_opens_again() -> None:
    """Closing is idempotent and not the end: the next call opens a new connection."""
    async with rig("tiingo") as r:
        await r.vendor.fetch(series("AAPL", "tiingo"), JUNE)
        await r.vendor.close()
        await r.vendor.close()
        later = Span(JUNE.start - timedelta(days=7), JUNE.end)
        assert len((await r.vendor.fetch(series("AAPL", "tiingo"), later)).candles) == 14


async def test_nothing_is_imported_before_the_first_call() -> None:
    """A process that never calls a vendor does not pay for an HTTP client."""
    program = (
        "import sys; from ohlcache.adapters.vendors.tiingo import TiingoVendor; import ohlcache.testing; "
        "from ohlcache.testing import FakeClock, FakeVendor, Market; print('aiohttp' in sys.modules)"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
