"""The Finnhub client over a real socket: what it asks, what it does when refused, what it never says."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from adapters.vendor_rig import JUNE, KEY, rig, series, span
from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.errors import BadVendorCredentials, NotEntitled, QuotaExceeded
from ohlcache.domain.resolution import Resolution
from ohlcache.testing import Fault
from ohlcache.testing.market import Hours, Labels

pytestmark = pytest.mark.asyncio


def utc(epoch: str) -> str:
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%S")


async def test_a_daily_fetch_covers_both_kinds_of_stamps() -> None:
    """B3, B6: from midnight UTC of the first date through the last second of the last one."""
    async with rig("finnhub") as r:
        for at_the_open in (False, True):
            r.fake.finnhub.stamped_at_the_open = at_the_open
            answer = await r.vendor.fetch(series("AAPL", "finnhub"), JUNE)
            assert answer.candles == r.market.daily("AAPL", JUNE, r.clock.now()).candles
        query = r.fake.calls[0].query
        assert query | {"from": utc(query["from"]), "to": utc(query["to"])} == {
            "symbol": "AAPL", "resolution": "D", "from": "2024-06-03T00:00:00", "to": "2024-06-14T23:59:59",
        }  # fmt: skip


async def test_daily_prices_come_adjusted_for_splits() -> None:
    """G12: what is before a split is divided, volumes are not, and the traits say so."""
    around = span("2020-08-24", "2020-09-04")
    async with rig("finnhub") as r:
        answer = await r.vendor.fetch(series("AAPL", "finnhub"), around)
        raw = r.market.daily("AAPL", around, r.clock.now()).candles
        ratio = raw.close / answer.candles.close
        assert ratio.tolist() == pytest.approx([4.0] * 5 + [1.0] * 5)
        assert answer.candles.volume.tolist() == raw.volume.tolist()
        assert r.vendor.traits.pre_adjusted == {Resolution.DAY}
        assert r.vendor.traits.adjustments[Resolution.DAY] == (Adjustment.SPLITS,)
        assert r.vendor.traits.adjustments[Resolution.HOUR] == (Adjustment.NONE,)


async def test_an_intraday_fetch_covers_the_new_york_days() -> None:
    """B6, C8: from midnight to midnight in New York, winter and summer; extended hours are kept as received."""
    march = span("2024-03-08", "2024-03-11")
    async with rig("finnhub") as r:
        answer = await r.vendor.fetch(series("AAPL", "finnhub", Resolution.MINUTES_5), march)
        assert answer.candles == r.market.bars(
            "AAPL", Resolution.MINUTES_5, march, r.clock.now(), hours=Hours.EXTENDED, labels=Labels.CLOCK
        )
        query = r.fake.calls[0].query
        assert (utc(query["from"]), utc(query["to"])) == ("2024-03-08T05:00:00", "2024-03-12T03:59:59")
        sessions = r.market.calendar.between(march)
        assert np.sum(sessions.locate(answer.candles.time, Resolution.MINUTES_5) < 0) > 0


async def test_no_slice_is_longer_than_a_month() -> None:
    """B10: the vendor returns one month of intraday at a time, so that is all that one call may ask."""
    async with rig("finnhub") as r:
        for resolution, limit in r.vendor.traits.limits.items():
            assert limit.days_max == (None if resolution.is_daily else 30)


async def test_no_data_is_empty() -> None:
    """G11: an unknown ticker and a span before the listing look the same here; both cost one call."""
    async with rig("finnhub") as r:
        for ticker in ("ZZZZ", "NEWCO"):
            answer = await r.vendor.fetch(series(ticker, "finnhub"), span("2020-01-02", "2020-01-31"))
            assert len(answer.candles) == 0
            assert answer.listing is None
        assert len(r.fake.calls) == 2


async def test_class_shares_keep_their_dot() -> None:
    """G4: BRK.B."""
    async with rig("finnhub") as r:
        assert len((await r.vendor.fetch(series("BRK.B", "finnhub"), JUNE)).candles) == 10


async def test_a_rotated_key_is_refreshed_once() -> None:
    """E10, E30."""
    async with rig("finnhub", "old", "new") as r:
        r.fake.finnhub.key = "new"
        assert len((await r.vendor.fetch(series("AAPL", "finnhub"), JUNE)).candles) == 10
        assert [call.outcome for call in r.fake.calls] == ["401", "ok"]


async def test_not_in_the_plan() -> None:
    """Candles are premium: 403 is no reason to refresh the key."""
    async with rig("finnhub", "free", "other") as r:
        r.fake.finnhub.faults.set(Fault.FORBIDDEN)
        with pytest.raises(NotEntitled):
            await r.vendor.check()
        assert r.key.refreshed == 0


async def test_the_older_quota_wording() -> None:
    """F4: plain text with 429."""
    async with rig("finnhub") as r:
        r.fake.finnhub.faults.then(Fault.QUOTA_TEXT)
        with pytest.raises(QuotaExceeded) as raised:
            await r.vendor.fetch(series("AAPL", "finnhub"), JUNE)
        assert raised.value.retry_after_seconds == 60


async def test_the_key_travels_in_the_header_only() -> None:
    """S1: neither an address nor a line ever holds the key."""
    async with rig("finnhub") as r:
        await r.vendor.fetch(series("AAPL", "finnhub"), JUNE)
        assert "includes candles" in await r.vendor.check()
        await r.vendor.suggest("AA", 5)
        assert {call.key for call in r.fake.calls} == {"header"}
        assert KEY not in str(r.fake.calls) + r.telemetry.text()


async def test_suggestions_fail_quietly() -> None:
    """Best effort: an error is an empty list."""
    async with rig("finnhub") as r:
        r.fake.finnhub.faults.then(Fault.UNAUTHORIZED)
        assert list(await r.vendor.suggest("AA", 5)) == []
        assert [info.ticker for info in await r.vendor.suggest("AA", 5)] == ["AAPL"]


async def test_an_empty_key_costs_no_call() -> None:
    """An empty token would be answered with 429, as if it were a quota."""
    async with rig("finnhub", "") as r:
        with pytest.raises(BadVendorCredentials):
            await r.vendor.fetch(series("AAPL", "finnhub"), JUNE)
        assert r.fake.calls == []
