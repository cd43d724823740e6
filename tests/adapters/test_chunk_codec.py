"""A chunk comes back from its bytes to the bit, and bytes that are not the chunk are refused."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ohlcache
from ohlcache.adapters.chunk_codec import CorruptChunk, decode, encode
from ohlcache.adapters.decimal_prices import from_ticks, to_ticks
from ohlcache.adapters.integer_columns import ColumnReader, ColumnWriter, Form
from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import Chunk, ChunkName, cut
from ohlcache.domain.coverage import Coverage, Holding, SessionState
from ohlcache.domain.errors import StoreError
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series

DAILY = Series("AAPL", "tiingo", Resolution.DAY)
FIVE_MINUTES = Series("BRK.B", "tiingo", Resolution.MINUTES_5)
FIRST_DAY = date(2024, 1, 2).toordinal()

ANY_INT64 = st.integers(-(2**63), 2**63 - 1)
ANY_FLOAT = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
CENTS = st.integers(1, 10**7).map(lambda cents: cents / 100)
LONG_DECIMALS = st.decimals(0, 10**6, places=8, allow_nan=False).map(float)
PRICES = st.one_of(CENTS, CENTS, LONG_DECIMALS, st.floats(), ANY_FLOAT, st.just(-0.0), st.just(5e-324))
VOLUMES = st.one_of(st.integers(0, 10**6).map(lambda hundreds: hundreds * 100), st.integers(0, 2**62), ANY_INT64)


def floats(values: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return an array of exactly these floats; the payload bits of a NaN are kept."""
    return np.frombuffer(struct.pack(f"<{len(values)}d", *values), np.float64)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    series = draw(st.sampled_from([DAILY, FIVE_MINUTES]))
    sessions = draw(st.integers(1, 12))
    counts = draw(st.lists(st.integers(0, 1 if series is DAILY else 5), min_size=sessions, max_size=sessions))
    days = FIRST_DAY + np.cumsum(draw(st.lists(st.integers(1, 4), min_size=sessions, max_size=sessions)))
    coverage = Coverage(
        days.astype(np.int32),
        np.array(draw(st.lists(st.sampled_from(list(SessionState)), min_size=sessions, max_size=sessions)), np.uint8),
        np.array(draw(st.lists(st.one_of(st.just(10**9), ANY_INT64), min_size=sessions, max_size=sessions)), np.int64),
        np.array(counts, np.int32),
    )
    total = sum(counts)
    on_the_grid = np.concatenate(
        [midnight_utc(int(day)) + 52_200 + np.arange(count) * 300 for day, count in zip(days, counts, strict=True)]
    ).astype(np.int64)
    anywhere = draw(hnp.arrays(np.int64, total, elements=ANY_INT64))
    columns = [floats(draw(st.lists(PRICES, min_size=total, max_size=total))) for _ in range(4)]
    volume = np.array(draw(st.lists(VOLUMES, min_size=total, max_size=total)), np.int64)
    candles = Candles(draw(st.sampled_from([on_the_grid, anywhere])), *columns, volume)
    actions = draw(st.integers(0, 2))
    rows = [floats(draw(st.lists(PRICES, min_size=actions, max_size=actions))) for _ in range(3)]
    return Chunk(series, Holding(coverage, candles, Actions(coverage.days[:actions], *rows[:3])[: len(coverage)]))


def same(one: Chunk, other: Chunk) -> bool:
    mine, theirs = one.holding, other.holding
    return (
        one.series == other.series
        and mine.candles == theirs.candles
        and mine.actions == theirs.actions
        and all(
            column.dtype == twin.dtype and column.tobytes() == twin.tobytes()
            for part, counterpart in ((mine.coverage, theirs.coverage), (mine.candles, theirs.candles))
            for column, twin in zip(part.columns(), counterpart.columns(), strict=True)
        )
    )


def year_of_aapl() -> Chunk:
    """Return a year of real daily candles (2012: closes with four digits among cents)."""
    path = Path(ohlcache.__file__).parent / "data" / "sample" / "AAPL.csv.gz"
    rows = [line.split(",") for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]
    rows = [row for row in rows if row[0].startswith("2012")]
    days = np.array([date.fromisoformat(row[0]).toordinal() for row in rows], np.int32)
    values = ([float(row[index]) for row in rows] for index in range(1, 6))
    candles = Candles.from_columns(midnight_utc(0) + days.astype(np.int64) * 86_400, *values)
    coverage = Coverage(
        days,
        np.full(len(days), SessionState.FINAL, np.uint8),
        np.full(len(days), 1_790_000_000, np.int64),
        np.ones(len(days), np.int32),
    )
    (chunk,) = cut(DAILY, Holding(coverage, candles, Actions.from_rows([(int(days[9]), 2.65, 1.0, 622.77)])))
    return chunk


@given(chunks())
def test_round_trip(chunk: Chunk) -> None:
    """Every chunk comes back to the bit, whatever its floats, times, states and volumes (B1, B7, B12)."""
    assert same(decode(chunk.series, chunk.name, encode(chunk)), chunk)


@given(hnp.arrays(np.int64, st.integers(1, 40), elements=ANY_INT64), st.sampled_from(Form))
def test_integer_columns_round_trip(values: np.ndarray[tuple[int], np.dtype[np.int64]], form: Form) -> None:
    """Any int64 column comes back in every form, its differences wrapping or not."""
    writer = ColumnWriter()
    writer.put(values, form)
    writer.put(values[:0])
    frame, beside = writer.finish(b"head")
    reader = ColumnReader(frame, beside, head_bytes=4)
    reader.expect(1)
    assert reader.take(len(values)).tolist() == values.tolist()
    assert len(reader.take(0)) == 0
    reader.finish()


@given(hnp.arrays(np.int64, st.integers(1, 300), elements=st.integers(-300, 300)), st.sampled_from(Form))
def test_small_integer_columns_round_trip(values: np.ndarray[tuple[int], np.dtype[np.int64]], form: Form) -> None:
    """Columns that fit one or two bytes, as ticks do, come back with their signs."""
    writer = ColumnWriter()
    writer.put(values, form)
    frame, beside = writer.finish(b"")
    reader = ColumnReader(frame, beside, head_bytes=0)
    reader.expect(1)
    assert reader.take(len(values)).tolist() == values.tolist()


@given(st.lists(PRICES, min_size=1, max_size=60).map(floats))
def test_ticks_round_trip(prices: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Prices made into ticks come back to the bit, or are not made into ticks."""
    ticks = to_ticks(prices)
    assert ticks is None or from_ticks(ticks).tobytes() == prices.tobytes()


def test_a_nan_among_prices_keeps_its_payload() -> None:
    """One value that is no decimal does not spoil the ticks of the others."""
    prices = np.round(np.linspace(10, 20, 101), 2)
    prices.view(np.int64)[50] = 0x7FF8_0000_DEAD_BEEF
    ticks = to_ticks(prices)
    assert ticks is not None
    assert len(ticks.bits_at) == 1
    assert from_ticks(ticks).tobytes() == prices.tobytes()


def test_a_huge_price_among_cents_is_kept() -> None:
    """A value that is exact as a whole number, but not countable in cents, comes back too."""
    prices = np.full(40, 0.01)
    prices[7] = 2.0**53
    ticks = to_ticks(prices)
    assert ticks is not None
    assert from_ticks(ticks).tobytes() == prices.tobytes()


def test_irrational_prices_are_kept_by_their_bits() -> None:
    """Prices that are no decimals at all are not forced into ticks."""
    assert to_ticks(np.sqrt(np.arange(1, 100))) is None


@pytest.mark.parametrize("state", list(SessionState))
def test_a_single_session_without_candles(state: SessionState) -> None:
    """Coverage without any candle is a chunk too."""
    coverage = Coverage(
        np.array([FIRST_DAY], np.int32), np.array([state], np.uint8), np.array([1], np.int64), np.zeros(1, np.int32)
    )
    chunk = Chunk(FIVE_MINUTES, Holding(coverage, Candles.empty(), Actions.none()))
    payload = encode(chunk)
    assert same(decode(FIVE_MINUTES, chunk.name, payload), chunk)
    assert len(payload) < 160


def test_volumes_to_two_to_the_62() -> None:
    """Volumes far above 2^31 survive (B7)."""
    chunk = year_of_aapl()
    volume = np.array([2**62 - index for index in range(len(chunk.holding.candles))], np.int64)
    chunk = replace(chunk, holding=replace(chunk.holding, candles=replace(chunk.holding.candles, volume=volume)))
    assert decode(DAILY, chunk.name, encode(chunk)).holding.candles.volume.tolist() == volume.tolist()


def test_encoding_is_deterministic() -> None:
    """The same chunk always makes the same bytes, so writing it twice changes nothing."""
    assert encode(year_of_aapl()) == encode(year_of_aapl())


def test_a_year_of_daily_candles_is_small() -> None:
    """Real daily candles, volume, coverage and actions included, take less than 10 bytes each."""
    chunk = year_of_aapl()
    assert len(encode(chunk)) / len(chunk.holding.candles) < 10


@settings(max_examples=200)
@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    """Whatever single byte is wrong, the chunk is refused with a StoreError."""
    chunk = year_of_aapl()
    payload = bytearray(encode(chunk))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptChunk):
        decode(DAILY, chunk.name, bytes(payload))


@pytest.mark.parametrize("kept", [0, 1, 11, 12, 40, 500, -1])
def test_a_truncated_payload_is_noticed(kept: int) -> None:
    """A value that was cut off is refused."""
    chunk = year_of_aapl()
    with pytest.raises(StoreError):
        decode(DAILY, chunk.name, encode(chunk)[:kept])


def test_bytes_left_over_are_noticed() -> None:
    """A value with something appended is refused."""
    chunk = year_of_aapl()
    with pytest.raises(CorruptChunk):
        decode(DAILY, chunk.name, encode(chunk) + b"\0")


def forged(counts: list[int], candles: int, length: int) -> bytes:
    """Return a payload whose checksum is right, with columns of ``length``, said to be ``candles`` in such sessions."""
    series, sessions = b"AAPL#tiingo#5", len(counts)
    writer = ColumnWriter()
    writer.put(np.arange(FIRST_DAY, FIRST_DAY + sessions), Form.DELTA)
    for column in (np.ones(sessions, np.int64), np.ones(sessions, np.int64), np.array(counts), np.zeros(sessions)):
        writer.put(column.astype(np.int64))
    for rows in (1, 4, 1):
        writer.put(np.zeros(rows * length, np.int64))
    frame, beside = writer.finish(struct.pack("<IIIIIBB", sessions, candles, 0, 0, 0, 2, 2))
    body = bytes(8) + series + frame + beside
    envelope = b"OC\x02", len(series), len(frame)
    before = zlib.crc32(struct.pack("<3sBII", *envelope[:2], 0, envelope[2]))
    return struct.pack("<3sBII", *envelope[:2], zlib.crc32(body, before), envelope[2]) + body


@pytest.mark.parametrize(
    ("counts", "candles"),
    [
        ([2**62] * 4 + [4], 4),  # the sum wraps to 4
        ([1, 1, 1], 4),
        ([2, 2, -1, 1], 4),
        ([1_000_000], 1_000_000),
        ([1] * 2000, 2000),
    ],
)
def test_lengths_that_cannot_be_are_refused(counts: list[int], candles: int) -> None:
    """What somebody wrote with a right checksum neither crashes the process nor takes its memory."""
    name = ChunkName(Resolution.MINUTES_5, date.fromordinal(FIRST_DAY), "00" * 8)
    five = Series("AAPL", "tiingo", Resolution.MINUTES_5)
    with pytest.raises(CorruptChunk):
        decode(five, name, forged(counts, candles, candles))
    sound = decode(five, name, forged([1, 1, 2], 4, 4))
    assert len(sound.holding.candles) == 4


@pytest.mark.parametrize(
    ("start", "said"),
    [(b"XX\x01", "not a chunk"), (b"OC\x04", "version 4"), (b"OC\x00", "version 0")],
)
def test_another_format_is_told_by_name(start: bytes, said: str) -> None:
    """A wrong magic or an unknown version is an error that says so."""
    chunk = year_of_aapl()
    with pytest.raises(CorruptChunk, match=said):
        decode(DAILY, chunk.name, start + encode(chunk)[3:])


@given(chunks())
def test_rejected_sessions_are_unreadable_to_programs_without_that_state(chunk: Chunk) -> None:
    """Programs that know layouts up to 2 would take the session for whole for 90 days; so its chunk is layout 3."""
    rejected = SessionState.REJECTED in chunk.holding.coverage.states.tolist()
    assert encode(chunk)[2] == (3 if rejected else 2)


def test_the_payload_of_another_series_is_refused() -> None:
    """A chunk under a wrong key is not served as that key's."""
    chunk = year_of_aapl()
    other = Series("MSFT", "tiingo", Resolution.DAY)
    with pytest.raises(CorruptChunk, match="AAPL"):
        decode(other, chunk.name, encode(chunk))


def test_the_payload_of_another_chunk_is_refused() -> None:
    """The digest of the content must be the one in the name."""
    chunk = year_of_aapl()
    name = replace(chunk.name, digest="0" * 16)
    with pytest.raises(CorruptChunk, match=chunk.name.digest):
        decode(DAILY, name, encode(chunk))


def test_an_impossible_head_is_refused_even_with_a_right_checksum() -> None:
    """Counts that contradict one another never become a holding."""
    chunk = year_of_aapl()
    payload = encode(chunk)
    half = replace(chunk, holding=chunk.holding.select(np.arange(len(chunk.holding)) < 100))
    grafted = payload[:12] + encode(half)[12:]
    frame_bytes = struct.unpack_from("<I", payload, 8)[0]
    checksum = zlib.crc32(grafted[12:], frame_bytes)
    with pytest.raises(CorruptChunk):
        decode(DAILY, chunk.name, grafted[:4] + struct.pack("<I", checksum) + grafted[8:])


def test_other_types_are_the_programmers_error() -> None:
    """Columns of another dtype would not come back, so they are not taken."""
    chunk = year_of_aapl()
    coverage = replace(chunk.holding.coverage, counts=chunk.holding.coverage.counts.astype(np.int64))
    with pytest.raises(AssertionError, match="types"):
        encode(replace(chunk, holding=replace(chunk.holding, coverage=coverage)))


def test_gaps_in_the_grid_are_kept() -> None:
    """Bars missing inside a session (thin trading, halts) leave the others' times exact."""
    sessions = 20
    counts = np.array([78 - index % 7 for index in range(sessions)], np.int32)
    days = np.arange(FIRST_DAY, FIRST_DAY + sessions, dtype=np.int32)
    random = np.random.default_rng(1)
    time = np.concatenate(
        [
            midnight_utc(int(day)) + 52_200 + 300 * np.sort(random.choice(78, count, replace=False))
            for day, count in zip(days, counts, strict=True)
        ]
    ).astype(np.int64)
    price = np.full(len(time), 1.5)
    coverage = Coverage(days, np.full(sessions, SessionState.FINAL, np.uint8), np.full(sessions, 5, np.int64), counts)
    chunk = Chunk(
        FIVE_MINUTES,
        Holding(coverage, Candles(time, price, price, price, price, np.zeros(len(time), np.int64)), Actions.none()),
    )
    assert same(decode(FIVE_MINUTES, chunk.name, encode(chunk)), chunk)
    assert math.isclose(chunk.holding.candles.open[0], 1.5)
