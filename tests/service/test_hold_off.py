"""W2: a vendor that refused a moment ago is not asked again at once; T5: and nothing of a refusal is kept as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    TickerNotFound,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.world import World

pytestmark = pytest.mark.asyncio

RAW: dict[str, Any] = {"range": "1M", "adjust": "none"}


async def refused(world: World, ticker: str = "AAPL", **wishes: Any) -> OhlcacheError:
    """Return the error that a request ends in."""
    with pytest.raises(OhlcacheError) as caught:
        await world.ask(ticker, **{**RAW, **wishes})
    return caught.value


async def refuse(world: World, failure: OhlcacheError | None) -> None:
    """Let the vendor refuse every call with ``failure`` from now on; None: let it answer."""

    async def fail(*_: object) -> None:
        if failure is not None:
            raise failure

    world.vendor.before = fail


async def calls_in(world: World, seconds: int, ticker: str = "AAPL") -> int:
    """Return how often the vendor is asked in so many seconds by somebody who asks every second."""
    before = world.calls
    for _ in range(seconds):
        await refused(world, ticker)
        await world.clock.advance(1)
    return world.calls - before


@pytest.mark.parametrize(
    "failure", [TickerNotFound("Unknown."), VendorGarbage("Nonsense.")], ids=["404", "invalid reply"]
)
async def test_an_unknown_ticker_is_asked_for_at_growing_intervals(
    cache: Callable[..., World], failure: OhlcacheError
) -> None:
    """W2, E4: at 0, 5, 15, 35, 75 and then every 60 seconds, with the same error in between."""
    world = cache()
    await refuse(world, failure)
    assert await calls_in(world, 75) == 4
    assert await calls_in(world, 120) == 2
    again = await refused(world)
    assert (type(again), again.message) == (type(failure), failure.message)


async def test_an_outage_is_tried_every_five_seconds(cache: Callable[..., World]) -> None:
    """W2: 5xx and time-outs do not double: a vendor that is back is noticed within five seconds."""
    world = cache()
    await refuse(world, VendorUnavailable("Down."))
    assert await calls_in(world, 60) == 12
    await refuse(world, None)
    await world.clock.advance(5)
    assert (await world.ask(**RAW)).answer.certificate.complete


async def test_success_ends_the_doubling(cache: Callable[..., World]) -> None:
    """W2: what was refused for a while and then answered begins at five seconds again."""
    world = cache()
    await refuse(world, VendorGarbage("Nonsense."))
    await calls_in(world, 40)
    await refuse(world, None)
    await world.clock.advance(60)
    await world.ask(**RAW)
    await refuse(world, VendorGarbage("Nonsense."))
    calls = world.calls
    for _ in range(15):
        assert (await world.ask(range="5Y", adjust="none")).answer.stale
        await world.clock.advance(1)
    assert world.calls - calls == 2


@pytest.mark.parametrize(
    "failure",
    [QuotaExceeded("Used up.", retry_after_seconds=3000), BadVendorCredentials("Refused.")],
    ids=["429", "401"],
)
async def test_a_source_that_refuses_is_probed_every_five_minutes(
    cache: Callable[..., World], failure: OhlcacheError
) -> None:
    """W2: a used-up allowance and a refused key are the source's: one call in five minutes, whichever ticker is asked."""
    world = cache()
    await refuse(world, failure)
    for number in range(600):
        await refused(world, ("AAPL", "IBM", "MSFT")[number % 3])
        await world.clock.advance(1)
    assert world.calls == 2
    await refuse(world, None)
    assert (await world.ask(**RAW)).answer.certificate.complete


async def test_the_wait_that_a_vendor_states_is_kept(cache: Callable[..., World]) -> None:
    """W2: Retry-After is honoured beyond five minutes, and shorter waits than those are not drawn out."""
    world = cache()
    await refuse(world, QuotaExceeded("Wait.", retry_after_seconds=900, stated_by_vendor=True))
    await refused(world)
    await world.clock.advance(899)
    assert (await refused(world, "IBM")).retry_after_seconds == 1
    assert world.calls == 1
    await refuse(world, QuotaExceeded("Wait.", retry_after_seconds=20))
    await world.clock.advance(1)
    await refused(world)
    await refuse(world, None)
    await world.clock.advance(20)
    assert (await world.ask(**RAW)).answer.certificate.complete
    assert world.calls == 3


async def test_a_months_symbols_stop_new_tickers_only(cache: Callable[..., World]) -> None:
    """W2: tickers of which something is held were counted already: they are asked for, the others are not."""
    world = cache()
    await world.ask("IBM", **RAW)
    await refuse(world, QuotaExceeded("Your symbols of the month.", new_tickers_only=True))
    await refused(world, "AAPL")
    await refused(world, "MSFT")
    assert world.calls == 2
    await refuse(world, None)
    await refused(world, "MSFT")
    assert (await world.ask("IBM", range="5Y", adjust="none")).answer.certificate.complete
    assert world.calls == 3


async def test_a_held_ticker_beyond_a_months_symbols_is_left_alone(cache: Callable[..., World]) -> None:
    """W2: what is held is of last month, so the vendor refuses it like a new one: no call for each request."""
    world = cache()
    await world.ask("IBM", **RAW)
    await refuse(world, QuotaExceeded("Your symbols of the month.", new_tickers_only=True))
    world.clock.set(world.clock.now() + 86_400)
    for _ in range(60):
        assert (await world.ask("IBM", **RAW)).answer.stale
        world.clock.set(world.clock.now() + 1)
    assert world.calls == 2


async def test_a_forbidden_ticker_stops_no_other_until_a_second_is_forbidden(cache: Callable[..., World]) -> None:
    """W2: a 403 of one ticker may be its own; two of them are the plan's, for that resolution."""
    world = cache()
    await refuse(world, NotEntitled("Not in your plan."))
    await refused(world, "AAPL")
    await refused(world, "AAPL")
    await refused(world, "IBM")
    await refused(world, "MSFT")
    assert world.calls == 2
    await refuse(world, None)
    assert (await world.ask("MSFT", range="1D", resolution="5", adjust="none")).answer.certificate.complete


async def test_an_invalidation_ends_it(cache: Callable[..., World]) -> None:
    """W2: whoever invalidates a ticker wants it asked for, whatever was refused, and only that ticker is."""
    world = cache()
    await refuse(world, TickerNotFound("Unknown."))
    await refused(world, "AAPL")
    await refused(world, "IBM")
    await refuse(world, None)
    await world.first.cache.invalidate_all_caches("AAPL")
    assert (await world.ask("AAPL", **RAW)).answer.certificate.complete
    await refused(world, "IBM")


@pytest.mark.parametrize("failure", [TickerNotFound("Unknown."), QuotaExceeded("Wait.", retry_after_seconds=900)])
async def test_a_person_s_retry_ends_it(cache: Callable[..., World], failure: OhlcacheError) -> None:
    """W2, H27d: a retry asks the vendor at once, but not twice in a second, as a program would."""
    world = cache()
    await refuse(world, failure)
    await refused(world)
    request = world.first.request("AAPL", **RAW)
    with pytest.raises(OhlcacheError):
        await world.first.cache.get(request, retry=True)
    assert world.calls == 1
    await world.clock.advance(1)
    await refuse(world, None)
    assert (await world.first.cache.get(request, retry=True)).answer.certificate.complete
    assert world.calls == 2


async def test_a_retry_asks_for_what_a_stale_answer_lacks(cache: Callable[..., World]) -> None:
    """H27d: what memory repeats for five seconds is not repeated to a person who retries; a whole answer is."""
    world = cache()
    await world.ask(**RAW)
    world.clock.set("2024-06-05T01:00:00Z")
    world.vendor.faults.set(Fault.SERVER_ERROR)
    assert (await world.ask(**RAW)).answer.stale
    world.vendor.faults.clear()
    await world.clock.advance(1)
    request = world.first.request("AAPL", **RAW)
    served = await world.first.cache.get(request, retry=True)
    assert (served.answer.stale, served.tier) == (False, "tiingo")
    calls = world.calls
    assert (await world.first.cache.get(request, retry=True)).tier == IN_MEMORY
    assert world.calls == calls


async def test_a_replaced_key_ends_it(cache: Callable[..., World]) -> None:
    """W2, F5: once the key that was refused is another one, the vendor is asked; it is looked up every five seconds."""
    world = cache()
    await refuse(world, BadVendorCredentials("Refused."))
    await refused(world)
    await refuse(world, None)
    await world.clock.advance(5)
    await refused(world)
    world.vendor.key_is_new = True
    await refused(world)
    await world.clock.advance(5)
    assert (await world.ask(**RAW)).answer.certificate.complete


async def test_a_clock_that_was_set_back_ends_it(cache: Callable[..., World]) -> None:
    """W6: nobody waits until the clock is there again."""
    world = cache()
    await refuse(world, QuotaExceeded("Wait.", retry_after_seconds=900, stated_by_vendor=True))
    await refused(world)
    world.clock.set("2024-06-04T00:00:00Z")
    await refuse(world, None)
    assert (await world.ask(**RAW)).answer.certificate.complete


async def test_held_data_is_served_meanwhile(cache: Callable[..., World]) -> None:
    """W1, W2: a ticker of which something is held is answered from the store while its source is left alone."""
    world = cache()
    await world.ask("IBM", **RAW)
    await refuse(world, QuotaExceeded("Used up.", retry_after_seconds=3000))
    await refused(world, "AAPL")
    world.clock.set("2024-06-05T01:00:00Z")
    await refused(world, "AAPL")
    calls = world.calls
    served = await world.ask("IBM", **RAW)
    assert (served.answer.stale, served.answer.stale_reason, world.calls) == (True, "Used up.", calls)
    assert served.answer.certificate.missing == ("2024-06-04",)


async def test_after_one_refusal_the_slices_left_are_not_asked_for(cache: Callable[..., World]) -> None:
    """W2: a fetch of many slices over quota costs the calls that were under way, not one for each slice."""
    world = cache()
    world.vendor.latency_seconds = 1
    await refuse(world, QuotaExceeded("Used up.", retry_after_seconds=3000))
    await refused(world, range="5Y", resolution="5")
    assert 1 <= world.calls <= 4


async def test_another_process_asks_for_itself(cache: Callable[..., World]) -> None:
    """W2: a hold-off is one process's."""
    world = cache()
    await refuse(world, TickerNotFound("Unknown."))
    await refused(world)
    other = world.other()
    with pytest.raises(TickerNotFound):
        await other.ask("AAPL", **RAW)
    assert world.calls == 2


async def test_an_empty_reply_that_nothing_confirms_is_repeated(cache: Callable[..., World]) -> None:
    """W2, T5: a vendor that knows no ticker and says so by an empty reply is not asked at each poll; nothing is stored."""
    world = cache()
    world.vendor.tells_listings = False
    world.vendor.faults.set(Fault.EMPTY)
    counts = []
    for _ in range(75):
        calls = world.calls
        assert len((await world.ask("AAPL", **RAW)).answer.candles) == 0
        counts.append(world.calls - calls)
        await world.clock.advance(1)
    assert [second for second, count in enumerate(counts) if count] == [0, 5, 15, 35]
    assert await world.chunks() == []
    world.vendor.faults.clear()
    request = world.first.request("AAPL", **RAW)
    assert len((await world.first.cache.get(request, retry=True)).answer.candles) > 0


async def test_a_ticker_that_was_refused_is_not_asked_for_its_dates(cache: Callable[..., World]) -> None:
    """W2: metadata of a ticker that the vendor did not know a moment ago costs no call of its own."""
    world = cache()
    await refuse(world, TickerNotFound("Unknown."))
    await refused(world)
    assert await world.first.cache.listing("AAPL") is None
    assert world.calls == 1
    assert await world.first.cache.listing("IBM") is not None
    assert world.calls == 2
