"""The memory tier keeps its budget and its books, and remembers what is used."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.answer import Answer, Certificate
from ohlcache.domain.candles import Candles
from ohlcache.domain.request import CUSTOM, CandleRequest
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.service.memory_tier import MemoryTier
from service.world import check_memory

CERTIFICATE = Certificate(0, 0, 0, 0, complete=True, missing=(), calendar_version="1")


def answer_of(ticker: str, rows: int = 1, fresh_until: float = 1e9) -> Answer:
    request = CandleRequest(ticker, Resolution.DAY, CUSTOM, Span(date(2024, 1, 2), date(2024, 2, 1)))
    columns = [np.arange(1, rows + 1)] * 6
    return Answer(
        request=request,
        resolution=Resolution.DAY,
        adjustment=Adjustment.NONE,
        candles=Candles.from_columns(*columns),
        days=np.arange(rows, dtype=np.int32),
        certificate=CERTIFICATE,
        source="tiingo",
        observed_at=0.0,
        fresh_until=fresh_until,
    )


def scan(tier: MemoryTier, count: int, name: str) -> None:
    for number in range(count):
        tier.put(f"{name} {number}", answer_of("S"))


def full_of_favourites(*, times: int = 1) -> MemoryTier:
    """Return a tier of ten whose ten answers, A to J, have each been asked for."""
    tier = MemoryTier(entries_max=10, bytes_max=1 << 20)
    for key in "ABCDEFGHIJ":
        tier.put(key, answer_of(key))
        for _ in range(times):
            tier.get(key, 0)
    return tier


class TheTier(RuleBasedStateMachine):
    """E12, F6: whatever is put, asked for, grown and dropped, budget and books hold."""

    def __init__(self) -> None:
        super().__init__()
        self.tier = MemoryTier(entries_max=5, bytes_max=12_000)
        self.now = 0.0
        self.asked = 0

    keys = st.sampled_from("ABCDEFGH")

    @rule(key=keys, rows=st.integers(0, 250), life=st.integers(1, 50))
    def put(self, key: str, rows: int, life: int) -> None:
        self.tier.put(key, answer_of(key, rows, self.now + life))

    @rule(key=keys)
    def get(self, key: str) -> None:
        self.asked += 1
        found = self.tier.get(key, self.now)
        assert found is None or (found.request.ticker == key and self.now < found.fresh_until)

    @rule(key=keys, size=st.integers(1, 6_000))
    def grow(self, key: str, size: int) -> None:
        found = self.tier.get(key, self.now)
        self.asked += 1
        if found is not None:
            found.representations[f"form {len(found.representations)}"] = b"x" * size
            self.tier.grown(key, found)

    @rule(key=keys)
    def drop(self, key: str) -> None:
        self.tier.drop_ticker(key)
        assert not self.tier.discard(key)

    @precondition(lambda self: self.now < 1e6)
    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def sound(self) -> None:
        check_memory(self.tier)
        statistics = self.tier.statistics()
        assert statistics.hits + statistics.misses == self.asked


TestTheTier = TheTier.TestCase
TestTheTier.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)


def test_one_scan_does_not_push_out_what_is_used() -> None:
    """F11: what was asked for twice survives any number of answers that are asked for once."""
    tier = MemoryTier(entries_max=10, bytes_max=1 << 20)
    for key in "AB":
        tier.put(key, answer_of(key))
        tier.get(key, 0)
    scan(tier, 1000, "scan")
    assert tier.get("A", 0) is not None
    assert tier.get("B", 0) is not None
    assert tier.statistics().evictions == 992


def test_the_oldest_that_was_asked_once_goes_first() -> None:
    """F2: of those that nobody has asked for again the oldest goes; a full tier of favourites still takes a new one."""
    tier = MemoryTier(entries_max=3, bytes_max=1 << 20)
    for key in "ABC":
        tier.put(key, answer_of(key))
    tier.put("D", answer_of("D"))
    assert [key for key in "ABCD" if tier.get(key, 0) is not None] == ["B", "C", "D"]
    tier.put("E", answer_of("E"))
    assert tier.statistics().entries == 3
    assert tier.get("E", 0) is not None


def test_it_is_filled_before_anything_goes() -> None:
    """F2: nothing is pushed out while there is room, in entries and in bytes."""
    tier = MemoryTier(entries_max=10, bytes_max=10 * answer_of("S").nbytes)
    scan(tier, 10, "one")
    assert (tier.statistics().entries, tier.statistics().evictions) == (10, 0)
    tier.put("A", answer_of("A"))
    assert (tier.statistics().entries, tier.statistics().evictions) == (10, 1)


def test_who_was_asked_for_since_its_last_turn_has_another() -> None:
    """F11: of the favourites the oldest that nobody has asked for goes, not the oldest."""
    tier = full_of_favourites()
    tier.put("K", answer_of("K"))  # A to I become favourites, and A, the first of them, makes room
    assert tier.get("A", 0) is None
    tier.get("B", 0)
    tier.put("L", answer_of("L"))
    assert tier.get("C", 0) is None
    assert tier.get("B", 0) is not None


def test_of_favourites_that_nobody_asks_for_one_goes() -> None:
    """F2: as many go as there must be room, and each is counted once."""
    tier = full_of_favourites()
    for number, key in enumerate("KLM", start=1):
        tier.put(key, answer_of(key))
        assert (tier.statistics().entries, tier.statistics().evictions) == (10, number)


def test_turns_are_used_up() -> None:
    """F2: a favourite that was asked for often, long ago, gives way to those that are asked for now."""
    tier = full_of_favourites()
    tier.put("K", answer_of("K"))
    for _ in range(3):
        assert tier.get("B", 0) is not None
    for _ in range(20):
        for key in "KLMNOPQRSTUV":
            if tier.get(key, 0) is None:
                tier.put(key, answer_of(key))
    assert tier.get("B", 0) is None


def test_a_favourite_starts_anew() -> None:
    """F11: what made an answer a favourite earns it no turn among the favourites."""
    tier = full_of_favourites(times=3)
    tier.put("K", answer_of("K"))
    assert tier.get("A", 0) is None
    assert tier.get("B", 0) is not None


def test_a_tenth_of_the_bytes_is_for_what_is_new() -> None:
    """F11: an answer that takes more than a tenth of the tier goes before favourites do, alone as it is."""
    small = answer_of("S").nbytes
    tier = MemoryTier(entries_max=100, bytes_max=20 * small)
    for number in range(20):
        tier.put(number, answer_of("F"))
        tier.get(number, 0)
    large = answer_of("L", rows=50)
    tier.put("L", large)
    held = tier.statistics().entries
    assert 2 * small < large.nbytes < 10 * small
    tier.put("M", answer_of("M"))
    assert tier.get("L", 0) is None
    assert tier.statistics().entries == held


def test_what_comes_back_stays_longer() -> None:
    """F11: a key that was pushed out a moment ago and is asked for again outlives the next scan."""
    tier = MemoryTier(entries_max=10, bytes_max=1 << 20)
    tier.put("A", answer_of("A"))
    scan(tier, 10, "one")
    assert tier.get("A", 0) is None
    tier.put("A", answer_of("A"))
    scan(tier, 50, "two")
    assert tier.get("A", 0) is not None
    assert tier.get("two 30", 0) is None


def test_what_expires_is_replaced_where_it_was() -> None:
    """F11: the next answer of a favourite that has expired, or was replaced, needs no second hit to be kept."""
    tier = MemoryTier(entries_max=10, bytes_max=1 << 20)
    for key in "AB":
        tier.put(key, answer_of(key, fresh_until=10.0))
        tier.get(key, 0)
    scan(tier, 12, "one")
    assert tier.get("A", 11) is None
    assert tier.statistics().entries == 9  # what has expired is let go
    tier.put("A", answer_of("A"))
    tier.put("B", answer_of("B"))
    scan(tier, 12, "two")
    assert tier.get("A", 11) is not None
    assert tier.get("B", 11) is not None
    assert tier.statistics().expirations == 1


def test_who_is_no_longer_asked_for_gives_way() -> None:
    """F2: yesterday's favourites do not fill the tier for ever."""
    tier = full_of_favourites(times=10)
    for _ in range(20):
        for key in "KLMNOPQRS":
            if tier.get(key, 0) is None:
                tier.put(key, answer_of(key))
    assert all(tier.get(key, 0) is not None for key in "KLMNOPQR")


@pytest.mark.parametrize("entries_max", [1, 2, 3])
def test_a_small_tier_still_takes_what_is_new(entries_max: int) -> None:
    """F2: a tier of one entry serves whoever was asked for last, not whoever came first for ever."""
    tier = MemoryTier(entries_max=entries_max, bytes_max=1 << 20)
    tier.put("A", answer_of("A"))
    tier.get("A", 0)
    tier.put("B", answer_of("B"))
    assert tier.get("B", 0) is not None


def test_what_just_fits_is_kept() -> None:
    """E12: the bound is the last size that is allowed."""
    roomy = MemoryTier(entries_max=10, bytes_max=1 << 20)
    roomy.put("A", answer_of("A", rows=100))
    size = roomy.statistics().bytes
    for room, kept in ((size, True), (size - 1, False)):
        tier = MemoryTier(entries_max=10, bytes_max=room)
        tier.put("A", answer_of("A", rows=100))
        assert (tier.get("A", 0) is not None) == kept


def test_what_is_larger_than_the_tier_is_not_kept() -> None:
    """E12: 100,000 candles do not push out everything else for nothing."""
    tier = MemoryTier(entries_max=10, bytes_max=100_000)
    tier.put("A", answer_of("A"))
    tier.put("B", answer_of("B", rows=100_000))
    assert tier.get("A", 0) is not None
    assert tier.get("B", 0) is None


def test_an_answer_weighs_its_encoded_forms() -> None:
    """F6: bytes are those of columns and of every encoded form; one that outgrows the tier goes."""
    tier = MemoryTier(entries_max=10, bytes_max=10_000)
    answer = answer_of("A")
    tier.put("A", answer)
    before = tier.statistics().bytes
    answer.representations["json"] = b"x" * 500
    tier.grown("A", answer)
    assert tier.statistics().bytes == before + 500 == answer.nbytes
    tier.grown("A", answer_of("A"))  # another answer under this key is not what is held
    assert tier.statistics().bytes == before + 500
    answer.representations["text"] = b"x" * (10_000 - answer.nbytes)
    tier.grown("A", answer)
    assert (tier.statistics().entries, tier.statistics().bytes) == (1, 10_000)  # the bound is the last size allowed
    answer.representations["csv"] = b"x"
    tier.grown("A", answer)
    assert (tier.statistics().entries, tier.statistics().evictions) == (0, 1)


def test_who_grows_beyond_the_budget_pushes_out_another() -> None:
    """E12: bytes that come later are bytes of the budget, too."""
    tier = MemoryTier(entries_max=10, bytes_max=3 * answer_of("S").nbytes + 100)
    scan(tier, 2, "one")
    answer = answer_of("A")
    tier.put("A", answer)
    answer.representations["json"] = b"x" * 101
    tier.grown("A", answer)
    assert (tier.statistics().entries, tier.statistics().evictions) == (2, 1)
    assert tier.get("A", 0) is answer
    assert tier.get("one 0", 0) is None


def test_a_full_tier_keeps_all_when_one_grows() -> None:
    """F6: an answer that grows within the budget pushes nobody out."""
    tier = MemoryTier(entries_max=3, bytes_max=1 << 20)
    scan(tier, 2, "one")
    answer = answer_of("A")
    tier.put("A", answer)
    answer.representations["json"] = b"x" * 500
    tier.grown("A", answer)
    assert (tier.statistics().entries, tier.statistics().evictions) == (3, 0)
