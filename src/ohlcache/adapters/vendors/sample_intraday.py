"""Intraday candles that could have made a given daily candle: synthetic, but consistent and always the same.

For every session a path of one price per minute is drawn from the open to the close through the high and the low; the
minutes between are a random walk tied down at those four prices and folded back between low and high. The minutes'
volumes are high in the morning and towards the close, and sum up to the day's. Coarser candles are aggregated from the
minutes, so all resolutions tell one story.

The randomness is a hash of ticker, day and minute in integers (splitmix64): the same on every machine and with every
numpy, and independent of the window that is asked for.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.candles import Candles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.sessions import Sessions

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# The walk's deviation at the end of an untied day, as a share of the day's high minus low; larger looks frayed.
_WALK_DEVIATION = 0.45
# The longest wick of a minute, as a share of the day's high minus low.
_WICK_SHARE = 0.04

# splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class _Use(IntEnum):
    """What a random number is for; each use has its own stream."""

    EXTREMES = 0
    WALK = 1
    UPPER_WICK = 2
    LOWER_WICK = 3
    VOLUME = 4


def intraday_candles(ticker: str, daily: Candles, sessions: Sessions, resolution: Resolution) -> Candles:
    """Return the intraday candles of ``sessions`` at ``resolution``; ``daily`` is the raw candle of each of them.

    Times are the bars' starts, counted from the session's open; the last bar of a session may be shorter.
    """
    assert len(daily) == len(sessions), "one daily candle for each session"
    bars_in_each = sessions.candles_in_each(resolution)
    times = sessions.candle_opens(resolution)
    opens, highs, lows, closes = (np.empty(len(times)) for _ in range(4))
    volumes = np.empty(len(times), np.int64)
    # Sessions of one length make rectangles, which numpy is fast at; there are two or three lengths.
    lengths = (sessions.closes - sessions.opens) // 60
    for minutes in np.unique(lengths).tolist():
        chosen = lengths == minutes
        seeds = _seeds(ticker, sessions.days[chosen])
        bars = _aggregated(_minute_bars(daily[chosen], seeds, minutes), resolution.seconds // 60)
        into = np.repeat(chosen, bars_in_each)
        for column, values in zip((opens, highs, lows, closes, volumes), bars, strict=True):
            column[into] = values.ravel()
    return Candles(times, opens, highs, lows, closes, volumes)


def _minute_bars(
    daily: Candles, seeds: NDArray[np.uint64], minutes: int
) -> tuple[Floats, Floats, Floats, Floats, Ints]:
    """Return open, high, low, close and volume of every minute, each one row per session."""
    path = _price_path(daily, seeds, minutes)
    opens, closes = path[:, :-1], path[:, 1:]
    wick = (daily.high - daily.low)[:, None] * _WICK_SHARE
    highs = np.maximum(opens, closes)
    lows = np.minimum(opens, closes)
    highs = np.maximum(highs, _to_cents(highs + wick * _uniform(seeds, _Use.UPPER_WICK, minutes) ** 2, daily))
    lows = np.minimum(lows, _to_cents(lows - wick * _uniform(seeds, _Use.LOWER_WICK, minutes) ** 2, daily))
    return opens, highs, lows, closes, _volumes(daily.volume, seeds, minutes)


def _price_path(daily: Candles, seeds: NDArray[np.uint64], minutes: int) -> Floats:
    """Return the prices at the minutes' bounds, ``minutes + 1`` per session, first the open, last the close."""
    high_at, low_at = _extremes_at(daily, seeds, minutes)
    high_first = high_at < low_at
    knots = np.stack(
        [
            np.zeros_like(high_at),
            np.minimum(high_at, low_at),
            np.maximum(high_at, low_at),
            np.full_like(high_at, minutes),
        ]
    ).T
    knot_prices = np.stack(
        [
            daily.open,
            np.where(high_first, daily.high, daily.low),
            np.where(high_first, daily.low, daily.high),
            daily.close,
        ]
    ).T

    at = np.arange(minutes + 1)
    stretch = (at >= knots[:, 1:2]).astype(np.int64) + (at >= knots[:, 2:3])
    start, end = (np.take_along_axis(knots, stretch + step, axis=1) for step in (0, 1))
    share = (at - start) / np.maximum(end - start, 1)
    price_start, price_end = (np.take_along_axis(knot_prices, stretch + step, axis=1) for step in (0, 1))

    deviation = (daily.high - daily.low)[:, None] * _WALK_DEVIATION
    steps = (_uniform(seeds, _Use.WALK, minutes) - 0.5) * np.sqrt(12 / minutes) * deviation
    walk = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    walk_start, walk_end = (np.take_along_axis(walk, bound, axis=1) for bound in (start, end))
    tied = walk - walk_start - (walk_end - walk_start) * share

    path = _to_cents(_folded(price_start + (price_end - price_start) * share + tied, daily), daily)
    np.put_along_axis(path, knots, knot_prices, axis=1)
    return path


def _extremes_at(daily: Candles, seeds: NDArray[np.uint64], minutes: int) -> tuple[Ints, Ints]:
    """Return the minute bounds at which the high and the low are reached: two different ones, unless they are equal.

    An open or close that is itself the day's high or low is where it is reached.
    """
    drawn = _uniform(seeds, _Use.EXTREMES, 2)
    high_at = 1 + (drawn[:, 0] * (minutes - 1)).astype(np.int64)
    low_at = 1 + (drawn[:, 1] * (minutes - 2)).astype(np.int64)
    low_at += low_at >= high_at
    high_at[daily.close == daily.high] = minutes
    high_at[daily.open == daily.high] = 0
    low_at[daily.close == daily.low] = minutes
    low_at[daily.open == daily.low] = 0
    return high_at, low_at


def _folded(prices: Floats, daily: Candles) -> Floats:
    """Return ``prices`` mirrored at the day's high and low until they lie between."""
    low = daily.low[:, None]
    height = np.maximum(daily.high[:, None] - low, 0.01)
    above = np.mod(np.abs(prices - low), 2 * height)
    return np.asarray(low + np.minimum(above, 2 * height - above))


def _to_cents(prices: Floats, daily: Candles) -> Floats:
    """Return ``prices`` rounded to the cent within the day's high and low, which may lie between cents themselves."""
    low, high = daily.low[:, None], daily.high[:, None]
    # The slack keeps 93.12, whose hundredfold is a little more than 9312, from being rounded up to 9313.
    cents = np.clip(np.rint(prices * 100), np.ceil(low * 100 - 1e-6), np.floor(high * 100 + 1e-6))
    return np.asarray(np.clip(cents / 100, low, high))


def _volumes(volumes: Ints, seeds: NDArray[np.uint64], minutes: int) -> Ints:
    """Return each session's volume spread over its minutes, to the share."""
    centre_distance = (np.arange(minutes) + 0.5) * (2 / minutes) - 1
    square = centre_distance * centre_distance
    weights = (0.4 + 0.6 * square + 1.5 * square * square * square) * (0.25 + _uniform(seeds, _Use.VOLUME, minutes))
    filled = np.cumsum(weights, axis=1)
    until = np.floor(filled / filled[:, -1:] * volumes[:, None]).astype(np.int64)
    until[:, -1] = volumes
    return np.diff(until, axis=1, prepend=0)


def _aggregated(
    bars: tuple[Floats, Floats, Floats, Floats, Ints], width_minutes: int
) -> tuple[Floats, Floats, Floats, Floats, Ints]:
    """Return minute bars joined to bars of ``width_minutes``, the session's last one possibly shorter."""
    opens, highs, lows, closes, volumes = bars
    minutes = opens.shape[1]
    starts = np.arange(0, minutes, width_minutes)
    ends = np.minimum(starts + width_minutes, minutes) - 1
    return (
        opens[:, starts],
        np.maximum.reduceat(highs, starts, axis=1),
        np.minimum.reduceat(lows, starts, axis=1),
        closes[:, ends],
        np.add.reduceat(volumes, starts, axis=1),
    )


def _seeds(ticker: str, days: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return one seed per day."""
    of_ticker = np.frombuffer(blake2b(ticker.encode(), digest_size=8).digest(), "<u8").astype(np.uint64)
    return _mixed(of_ticker + days.astype(np.uint64) * _GOLDEN)


def _uniform(seeds: NDArray[np.uint64], use: _Use, count: int) -> Floats:
    """Return ``count`` numbers in [0, 1) for each seed, one row per seed."""
    streams = _mixed(seeds + np.array([int(use) + 1], np.uint64) * _GOLDEN)
    positions = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    return (_mixed(streams[:, None] + positions) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return splitmix64's output for each state; arithmetic is modulo 2**64."""
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))
