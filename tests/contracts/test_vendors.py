"""What every vendor must do, real adapter or fake: one suite, five of them."""

from __future__ import annotations

import inspect
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from adapters.vendor_rig import EVENING, MARKET, rig
from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.vendors.finnhub import FinnhubVendor
from ohlcache.adapters.vendors.sample import SampleVendor
from ohlcache.adapters.vendors.tiingo import TiingoVendor
from ohlcache.domain.candles import Candles, check_possible
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    QuotaExceeded,
    TickerNotFound,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.market_time import market_date
from ohlcache.domain.observation import possible
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.ports import CandleVendor, Clock, Telemetry
from ohlcache.testing import FakeClock, FakeVendor, Fault, Faults, RecordingTelemetry
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio

TICKER = "AAPL"


@dataclass
class Case:
    vendor: CandleVendor
    span: Span
    weekend: Span
    faults: Faults | None = None

    def series(self, resolution: Resolution, ticker: str = TICKER) -> Series:
        return Series(ticker, self.vendor.name, resolution)


JUNE = Span(date(2024, 6, 3), date(2024, 6, 14))
WEEKEND = Span(date(2024, 6, 8), date(2024, 6, 9))
SAMPLE_JUNE = Span(date(2014, 6, 2), date(2014, 6, 13))
SAMPLE_WEEKEND = Span(date(2014, 6, 7), date(2014, 6, 8))


@asynccontextmanager
async def case_of(name: str) -> AsyncIterator[Case]:
    if name in {"tiingo", "finnhub"}:
        async with rig(name, timeout_seconds=0.5 if name == "finnhub" else 1.0) as r:
            yield Case(r.vendor, JUNE, WEEKEND, r.fake.sides()[name].faults)
    elif name == "sample":
        yield Case(SampleVendor(load_xnys()), SAMPLE_JUNE, SAMPLE_WEEKEND)
    else:
        fake = FakeVendor(MARKET, _Hurried(EVENING))
        if name == "fake-pre-adjusted":
            fake.traits = PRE_ADJUSTED_TRAITS
        yield Case(fake, JUNE, WEEKEND, fake.faults)


class _Hurried(FakeClock):
    """A clock on which nobody waits."""

    async def sleep(self, seconds: float) -> None:
        self.set(self.now() + seconds)


WITH_FAULTS = ["tiingo", "finnhub", "fake", "fake-pre-adjusted"]
EVERY = pytest.mark.parametrize("name", [*WITH_FAULTS, "sample"])
RESOLUTIONS = pytest.mark.parametrize("resolution", list(Resolution))


def halves(span: Span) -> tuple[Span, Span]:
    middle = span.start + (span.end - span.start) // 2
    return Span(span.start, middle), Span(middle + timedelta(days=1), span.end)


@EVERY
@RESOLUTIONS
async def test_candles_are_possible_and_within_the_span(name: str, resolution: Resolution) -> None:
    """B3, B4, B5: ascending, high and low around open and close, positive, each on a market date of the span."""
    async with case_of(name) as case:
        candles = (await case.vendor.fetch(case.series(resolution), case.span)).candles
        check_possible(candles)
        assert len(candles) >= 10
        if resolution.is_daily:
            days = candles.time // 86_400 + date(1970, 1, 1).toordinal()
            assert np.all(candles.time % 86_400 == 0)
        else:
            days = np.asarray([market_date(instant).toordinal() for instant in candles.time.tolist()])
        assert days.min() >= case.span.start.toordinal()
        assert days.max() <= case.span.end.toordinal()


@EVERY
@RESOLUTIONS
async def test_columns_have_their_types(name: str, resolution: Resolution) -> None:
    """B2, B12, F8: int64 times and volumes, float64 prices; the volume is a number even where there is none."""
    async with case_of(name) as case:
        candles = (await case.vendor.fetch(case.series(resolution), case.span)).candles
        assert [column.dtype.name for column in candles.columns()] == ["int64", *["float64"] * 4, "int64"]


@EVERY
@RESOLUTIONS
async def test_two_halves_make_the_whole(name: str, resolution: Resolution) -> None:
    """B11: however a span is split into calls, the candles and actions are the same to the bit."""
    async with case_of(name) as case:
        whole = await case.vendor.fetch(case.series(resolution), case.span)
        parts = [await case.vendor.fetch(case.series(resolution), half) for half in halves(case.span)]
        assert Candles.concatenate(part.candles for part in parts) == whole.candles
        assert sum(len(part.actions) for part in parts) == len(whole.actions)


@EVERY
async def test_only_raw_daily_answers_have_actions(name: str) -> None:
    """G12: splits and dividends come with raw daily candles, one call, and with nothing else."""
    async with case_of(name) as case:
        traits = case.vendor.traits
        wide = Span(date(case.span.start.year - 2, 1, 2), case.span.end)
        daily = await case.vendor.fetch(case.series(Resolution.DAY), wide)
        assert (len(daily.actions) > 0) == (Resolution.DAY not in traits.pre_adjusted)
        hours = await case.vendor.fetch(case.series(Resolution.HOUR), case.span)
        assert len(hours.actions) == 0


@EVERY
@RESOLUTIONS
async def test_a_span_without_sessions_is_an_empty_answer(name: str, resolution: Resolution) -> None:
    """G1: a weekend has no candle and is no error."""
    async with case_of(name) as case:
        assert len((await case.vendor.fetch(case.series(resolution), case.weekend)).candles) == 0


@EVERY
async def test_an_unknown_ticker_has_no_data(name: str) -> None:
    """E4: not found, or nothing at all where the vendor cannot tell; never somebody else's candles."""
    async with case_of(name) as case:
        try:
            answer = await case.vendor.fetch(case.series(Resolution.DAY, "ZZZZZ"), case.span)
        except TickerNotFound as exc:
            assert "ZZZZZ" in exc.message  # noqa: PT017 - either way is right
        else:
            assert name == "finnhub"
            assert len(answer.candles) == 0
        assert await case.vendor.listing(case.series(Resolution.DAY, "ZZZZZ"), case.span) is None


@EVERY
async def test_traits_speak_of_every_served_resolution(name: str) -> None:
    """K3: each resolution that has a limit has adjustments, the default first; what is pre-adjusted is never raw."""
    async with case_of(name) as case:
        traits = case.vendor.traits
        assert set(traits.limits) == set(traits.adjustments) == set(Resolution)
        assert all(traits.adjustments.values())
        assert all("none" not in traits.adjustments[resolution] for resolution in traits.pre_adjusted)


@EVERY
async def test_suggestions_keep_to_the_limit_and_never_fail(name: str) -> None:
    """Whatever is typed, there is a list."""
    async with case_of(name) as case:
        assert [info.ticker for info in await case.vendor.suggest("aap", 1)] == ["AAPL"]
        for text in ("", "a", "?", "é", "AA" * 100, "a b", "%00"):
            assert len(await case.vendor.suggest(text, 2)) <= 2


@EVERY
async def test_every_call_is_counted(name: str) -> None:
    """F6: two fetches are two calls."""
    async with case_of(name) as case:
        before = case.vendor.quota().calls
        await case.vendor.fetch(case.series(Resolution.DAY), case.span)
        await case.vendor.fetch(case.series(Resolution.HOUR), case.span)
        assert case.vendor.quota().calls == before + 2


@EVERY
async def test_a_sign_of_life_is_a_sentence(name: str) -> None:
    """For an operator to read."""
    async with case_of(name) as case:
        assert (await case.vendor.check()).endswith(".")


@EVERY
async def test_closing_twice_is_closing_once(name: str) -> None:
    """F5: idempotent, used or not."""
    async with case_of(name) as case:
        await case.vendor.close()
        await case.vendor.fetch(case.series(Resolution.DAY), case.span)
        await case.vendor.close()
        await case.vendor.close()


@pytest.mark.parametrize("name", WITH_FAULTS)
@pytest.mark.parametrize(
    ("fault", "number", "kind"),
    [
        (Fault.TOO_MANY, 0, QuotaExceeded),
        (Fault.TOO_MANY, 12, QuotaExceeded),
        (Fault.QUOTA_TEXT, 0, QuotaExceeded),
        (Fault.UNAUTHORIZED, 0, BadVendorCredentials),
        (Fault.FORBIDDEN, 0, NotEntitled),
        (Fault.SERVER_ERROR, 500, VendorUnavailable),
        (Fault.SERVER_ERROR, 503, VendorUnavailable),
        (Fault.HANG, 0, VendorUnavailable),
        (Fault.RESET, 0, VendorUnavailable),
        (Fault.TRUNCATED_BODY, 0, VendorUnavailable),
        (Fault.CUT_JSON, 0, VendorGarbage),
    ],
)
async def test_failures_have_their_type(name: str, fault: Fault, number: float, kind: type[VendorError]) -> None:
    """E3, E5, E10, E22: the adapters and the fake fail alike; nothing internal is said, and the next call works."""
    async with case_of(name) as case:
        assert case.faults is not None
        case.faults.set(fault, number)
        with pytest.raises(kind) as raised:
            await case.vendor.fetch(case.series(Resolution.DAY), case.span)
        assert type(raised.value) is kind
        for never in ("http", "127.0.0.1", "localhost", "/", "k3y"):
            assert never not in raised.value.message
        if kind is QuotaExceeded:
            assert raised.value.retry_after_seconds is not None
            assert raised.value.retry_after_seconds == (number or raised.value.retry_after_seconds) > 0
        elif fault is not Fault.RESET:
            case.faults.clear()
            assert len((await case.vendor.fetch(case.series(Resolution.DAY), case.span)).candles) == 10


@pytest.mark.parametrize("name", WITH_FAULTS)
@pytest.mark.parametrize("fault", [Fault.NAN, Fault.NEGATIVE, Fault.HIGH_BELOW_LOW])
@pytest.mark.parametrize("resolution", [Resolution.DAY, Resolution.MINUTES_5, Resolution.HOUR])
async def test_an_impossible_candle_is_rejected_alone(name: str, fault: Fault, resolution: Resolution) -> None:
    """B4, B5, B8, B9: by the adapter, at the latest by the domain; every other candle is as it was."""
    async with case_of(name) as case:
        assert case.faults is not None
        whole = (await case.vendor.fetch(case.series(resolution), case.span)).candles
        case.faults.set(fault)
        answer = possible(await case.vendor.fetch(case.series(resolution), case.span), resolution)
        check_possible(answer.candles)
        (row,) = answer.rejected
        lost = np.flatnonzero(~np.isin(whole.time, answer.candles.time))
        assert answer.candles == whole[np.delete(np.arange(len(whole)), lost)]
        assert len(lost) == 1
        start = int(whole.time[lost[0]])
        assert row.days.start == row.days.end
        assert row.day == (date(1970, 1, 1) + timedelta(seconds=start) if resolution.is_daily else market_date(start))
        assert row.time is None if resolution.is_daily else start <= (row.time or 0) < start + resolution.seconds


@pytest.mark.parametrize("name", WITH_FAULTS)
@pytest.mark.parametrize("resolution", [Resolution.DAY, Resolution.MINUTES_5])
async def test_candles_out_of_order_are_sorted(name: str, resolution: Resolution) -> None:
    """B4: the same candles in another order are the same answer."""
    async with case_of(name) as case:
        assert case.faults is not None
        whole = await case.vendor.fetch(case.series(resolution), case.span)
        case.faults.set(Fault.OUT_OF_ORDER)
        answer = possible(await case.vendor.fetch(case.series(resolution), case.span), resolution)
        assert (answer.candles, answer.rejected, answer.actions) == (whole.candles, (), whole.actions)


@pytest.mark.parametrize("name", WITH_FAULTS)
async def test_a_row_cap_gives_the_newest_rows(name: str) -> None:
    """B10: a cut-off answer is the end of the whole one; what to think of it is the domain's business."""
    async with case_of(name) as case:
        whole = (await case.vendor.fetch(case.series(Resolution.MINUTES_15), case.span)).candles
        assert case.faults is not None
        case.faults.then((Fault.ROW_CAP, 100))
        cut = (await case.vendor.fetch(case.series(Resolution.MINUTES_15), case.span)).candles
        assert cut == whole[-100:]


@pytest.mark.parametrize("name", WITH_FAULTS)
@RESOLUTIONS
async def test_phantom_bars_are_outside_sessions(name: str, resolution: Resolution) -> None:
    """G2: what vendors make up on holidays and off hours can be told apart by the calendar alone."""
    juneteenth = Span(date(2023, 6, 12), date(2023, 6, 23))
    async with case_of(name) as case:
        clean = (await case.vendor.fetch(case.series(resolution), juneteenth)).candles
        assert case.faults is not None
        case.faults.then(Fault.PHANTOM_BARS)
        haunted = (await case.vendor.fetch(case.series(resolution), juneteenth)).candles
        assert len(haunted) > len(clean)
        sessions = load_xnys().between(juneteenth)
        inside = [c[sessions.locate(c.time, resolution) >= 0] for c in (clean, haunted)]
        assert inside[0] == inside[1]


@pytest.mark.parametrize("kind", [TiingoVendor, FinnhubVendor, SampleVendor, FakeVendor])
@pytest.mark.parametrize("method", ["fetch", "suggest", "quota", "check", "close"])
async def test_vendors_have_the_signatures_of_the_port(kind: type, method: str) -> None:
    """Q5: real and fake take what the port says."""
    assert inspect.signature(getattr(kind, method)) == inspect.signature(getattr(CandleVendor, method))


@pytest.mark.parametrize(
    ("fake", "port", "methods"),
    [(FakeClock, Clock, ["now", "sleep"]), (RecordingTelemetry, Telemetry, ["count", "observe", "log"])],
)
async def test_fakes_have_the_signatures_of_their_port(fake: type, port: type, methods: list[str]) -> None:
    """Q5: a fake that drifts from what it stands for fails here."""
    for method in methods:
        assert inspect.signature(getattr(fake, method)) == inspect.signature(getattr(port, method))
