"""However a span is split into requests, in whatever order and when, the candles come out byte for byte the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcache.domain.candles import Candles
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing import FakeVendor
from ohlcache.testing.clock import instant_of
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS
from service.world import MARKET, World, check_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.answer import Answer

pytestmark = pytest.mark.asyncio

WHOLE = Span(date(2020, 6, 1), date(2020, 10, 30))
"""Months around the split of 31 August 2020 and the dividend of 10 August."""
LAST = instant_of("2020-10-31T01:00:00Z")


@dataclass(frozen=True)
class Step:
    """One request: a part of the span, and how many hours pass before it."""

    first: int
    length: int
    hours: int
    restarted: bool


steps = st.lists(
    st.builds(Step, st.integers(0, 150), st.integers(0, 60), st.integers(0, 60), st.booleans()), max_size=8
)
cuts = st.sets(st.integers(1, 151), max_size=5)


def parts_of(span: Span, where: set[int]) -> list[Span]:
    """Return ``span`` cut before the given days."""
    starts = [
        span.start,
        *(span.start + timedelta(days=n) for n in sorted(where) if span.start + timedelta(days=n) <= span.end),
    ]
    ends = [start - timedelta(days=1) for start in starts[1:]] + [span.end]
    return [Span(start, end) for start, end in zip(starts, ends, strict=True)]


async def answered(world: World, span: Span, resolution: str, adjust: str | None) -> Answer:
    served = await world.ask(start_date=span.start, end_date=span.end, resolution=resolution, adjust=adjust)
    assert served.answer.certificate.complete
    return served.answer


async def asked(world: World, span: Span, resolution: str, adjust: str | None) -> Candles:
    return (await answered(world, span, resolution, adjust)).candles


async def reference(resolution: str, adjust: str | None, vendors: Sequence[FakeVendor] | None = None) -> Candles:
    """Return the whole span asked for in one piece."""
    world = World(LAST, vendors=vendors)
    candles = await asked(world, WHOLE, resolution, adjust)
    await world.close()
    return candles


@given(
    steps,
    cuts,
    st.sampled_from(["D", "60"]),
    st.sampled_from(["splits", "all", "none"]),
    st.randoms(use_true_random=False),
)
async def test_any_split_in_any_order_at_any_time(
    before: list[Step], where: set[int], resolution: str, adjust: str, random: object
) -> None:
    """B11, D9, T2: parts put together are the whole to the bit, whatever was asked before, and the store is sound.

    The close before a part is that of the part before, or, at the first session held, not known.
    """
    world = World("2020-06-01T15:00:00Z")
    for step in before:
        world.clock.set(min(world.clock.now() + step.hours * 3600, LAST))
        if step.restarted:
            await world.restart()
        today = min(world.clock.now(), LAST)
        start = WHOLE.start + timedelta(days=step.first)
        end = start + timedelta(days=step.length)
        newest = world.first.request(range="1W").span.end
        if start <= newest and today <= LAST:
            await asked(world, Span(start, min(end, newest)), resolution, adjust)
    world.clock.set(LAST)
    parts = parts_of(WHOLE, where)
    order = list(range(len(parts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    got = {index: await answered(world, parts[index], resolution, adjust) for index in order}
    answers = [got[index] for index in range(len(parts))]
    joined = Candles.concatenate(answer.candles for answer in answers)
    assert joined == await reference(resolution, adjust)
    for before_it, answer in pairwise(answer for answer in answers if len(answer.candles)):
        assert answer.baseline.previous_close in {None, float(before_it.candles.close[-1])}
    check_chunks(await world.chunks())
    await world.close()


@given(cuts, st.randoms(use_true_random=False))
async def test_a_vendor_that_adjusts_itself_is_as_even(where: set[int], random: object) -> None:
    """G12, B11: parts of an adjusted source, asked for before and after its split, end on one basis."""
    vendor = FakeVendor(MARKET, None, name="finnhub", traits=PRE_ADJUSTED_TRAITS)  # type: ignore[arg-type]
    world = World("2020-08-27T01:00:00Z", vendors=[vendor])
    parts = parts_of(Span(WHOLE.start, date(2020, 8, 26)), where)
    random.shuffle(parts)  # type: ignore[attr-defined]
    for part in parts:
        await asked(world, part, "D", None)
    world.clock.set(LAST)
    parts = parts_of(WHOLE, where)
    got = [await asked(world, part, "D", None) for part in parts]
    whole = FakeVendor(MARKET, None, name="finnhub", traits=PRE_ADJUSTED_TRAITS)  # type: ignore[arg-type]
    assert Candles.concatenate(got) == await reference("D", None, [whole])
    await world.close()


async def test_many_days_of_use_leave_few_chunks() -> None:
    """T1: chunks of one cell are folded, so that a quarter of daily evenings does not leave sixty chunks to read."""
    world = World("2020-06-01T23:59:00Z")
    for day in range(120):
        world.clock.set(instant_of("2020-06-02T00:30:00Z") + day * 86_400)
        await world.ask(range="1M", adjust="none")
        await world.ask(range="1W", resolution=Resolution.HOUR.value, adjust="none")
    chunks = await world.chunks()
    check_chunks(chunks)
    by_cell: dict[tuple[object, int, int], int] = {}
    for chunk in chunks:
        first = chunk.name.first_day
        key = (chunk.series, first.year, (first.month - 1) // 3 if not chunk.series.resolution.is_daily else 0)
        by_cell[key] = by_cell.get(key, 0) + 1
    assert max(by_cell.values()) <= 9
    await world.close()


async def test_what_expires_bit_by_bit_is_fetched_bit_by_bit() -> None:
    """C1, C11: with each evening's session expiring on its own evening, one call an evening stays enough, folded or not."""
    world = World("2020-06-02T01:00:00Z", retention_days=20)
    for day in range(60):
        world.clock.set(instant_of("2020-06-02T01:00:00Z") + day * 86_400)
        calls = world.calls
        await world.ask(range="1M", adjust="none")
        assert world.calls <= calls + 1
        again = world.calls
        await world.restart()
        await world.ask(range="1M", adjust="none")
        assert world.calls == again, "what was just fetched is held"
    check_chunks(await world.chunks())
    await world.close()
