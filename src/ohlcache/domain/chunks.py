"""How a holding is cut into chunks, and how a chunk is named.

A chunk is named by its first day and the digest of what it holds, so writing one twice is a no-op and no writer,
however late, can overwrite what another wrote. Chunks never cross the boundary of their *cell* (a year of daily
candles, a month of minutes), so a reader knows from where to read; within a cell, many small chunks are folded into
one by whoever writes next, and only then are the folded ones deleted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from ohlcache.domain.coverage import Holding, merge
from ohlcache.domain.request import months_before
from ohlcache.domain.resolution import Resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ohlcache.domain.coverage import Coverage
    from ohlcache.domain.series import Series

FOLD_CHUNKS_MIN = 8
DIGEST_BYTES = 8

_CELL_MONTHS = {
    Resolution.MINUTE: 1,
    Resolution.MINUTES_5: 1,
    Resolution.MINUTES_15: 3,
    Resolution.MINUTES_30: 3,
    Resolution.HOUR: 3,
    Resolution.DAY: 12,
}


@dataclass(frozen=True, slots=True, order=True)
class ChunkName:
    """The sort key of a chunk within its ticker and source: ``D#2026-01-02#9f86d081884c7d65``, forming ones marked."""

    resolution: Resolution
    first_day: date
    digest: str
    forming: bool = False

    def __str__(self) -> str:
        return f"{self.resolution}#{self.first_day.isoformat()}#{self.digest}{'#forming' if self.forming else ''}"

    @classmethod
    def parse(cls, text: str) -> ChunkName:
        """Return the name written as ``text``; ValueError when it is not one."""
        resolution, first_day, digest, *mark = text.split("#")
        if mark not in ([], ["forming"]) or len(digest) != 2 * DIGEST_BYTES:
            raise ValueError(f"not a chunk name: {text[:60]!r}")
        return cls(Resolution(resolution), date.fromisoformat(first_day), digest, bool(mark))


@dataclass(frozen=True, eq=False)
class Chunk:
    """Sessions of one series and one cell, stored as one value; ``holding`` is never empty.

    ``stored_name``: the name it was read under, so that it need not be worked out from the content again.
    """

    series: Series
    holding: Holding
    stored_name: ChunkName | None = None

    @cached_property
    def name(self) -> ChunkName:
        """The chunk's name; it depends on nothing but what the chunk holds."""
        if self.stored_name is not None:
            return self.stored_name
        digest = blake2b(digest_size=DIGEST_BYTES)
        for part in (self.holding.coverage, self.holding.candles, self.holding.actions):
            for column in part.columns():
                digest.update(len(column).to_bytes(4, "little"))
                digest.update(column.tobytes())
        coverage = self.holding.coverage
        return ChunkName(
            self.series.resolution,
            date.fromordinal(int(coverage.days[0])),
            digest.hexdigest(),
            forming=bool(coverage.unsettled.any()),
        )

    @property
    def last_day(self) -> date:
        """The market date of the last session."""
        return date.fromordinal(int(self.holding.coverage.days[-1]))

    def expires_at(self, final_life_seconds: float) -> float:
        """Return the instant from which a store may delete the chunk.

        What was forming or empty is asked for again long before, but it is served where the vendor then refuses.
        """
        return float(self.holding.coverage.observed_at.max()) + (final_life_seconds or math.inf)


def cell_start(day: date, resolution: Resolution) -> date:
    """Return the first date of the cell that ``day`` lies in."""
    months = _CELL_MONTHS[resolution]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def cut(series: Series, holding: Holding) -> list[Chunk]:
    """Return ``holding`` as chunks: one per cell for what is settled, and one for what is forming or rejected."""
    chunks = []
    first, days = 0, holding.coverage.days
    while first < len(days):
        start = cell_start(date.fromordinal(int(days[first])), series.resolution)
        end = months_before(start, -_CELL_MONTHS[series.resolution]).toordinal() - 1
        cell = holding.between(start.toordinal(), end)
        unsettled = cell.coverage.unsettled
        chunks += [Chunk(series, cell.select(kept)) for kept in (~unsettled, unsettled) if kept.any()]
        first += len(cell)
    return chunks


def fold(
    new: Sequence[Chunk], held: Iterable[Chunk], relied_on: Callable[[Coverage], NDArray[np.bool_]]
) -> tuple[list[Chunk], list[Chunk]]:
    """Return which chunks to write and which of ``held`` to delete after that, so that nothing is lost.

    A held chunk goes when every session of it is known better by the new ones, or when its cell has so many that one
    is written for all. ``relied_on`` says which sessions have not expired: an expired word, being the earlier one, must
    not outvote the new.
    """
    write: list[Chunk] = []
    remove: dict[ChunkName, Chunk] = {}
    cells: dict[date, list[Chunk]] = {}
    for chunk in held:
        cells.setdefault(cell_start(chunk.name.first_day, chunk.series.resolution), []).append(chunk)
    settled = [chunk for chunk in new if not chunk.name.forming]
    write += [chunk for chunk in new if chunk.name.forming]
    for chunk in settled:
        neighbours = cells.get(cell_start(chunk.name.first_day, chunk.series.resolution), [])
        final = [other for other in neighbours if not other.name.forming]
        if len(final) + 1 >= FOLD_CHUNKS_MIN:
            alive = [other.holding.select(relied_on(other.holding.coverage)) for other in final]
            known = merge([chunk.holding, *alive])
            # What has expired and nothing replaces is still served where the vendor does not deliver it.
            expired = merge([other.holding for other in final])
            expired = expired.select(expired.coverage.final & ~known.coverage.among(expired.coverage.days))
            write.append(Chunk(chunk.series, merge([known, expired])))
            remove.update((other.name, other) for other in final)
        else:
            write.append(chunk)
    for chunk in (chunk for cell in cells.values() for chunk in cell):
        if any(_supersedes(better, chunk) for better in new):
            remove[chunk.name] = chunk
    for chunk in write:
        remove.pop(chunk.name, None)
    return write, list(remove.values())


def _supersedes(new: Chunk, old: Chunk) -> bool:
    """Whether ``new`` has a later word on every session of ``old``, none of which holds a final candle.

    A row that cannot be true is no word on a session of which as many candles are held, or more where another of its
    rows was rejected before: those may still be served.
    """
    coverage, later = old.holding.coverage, new.holding.coverage
    if coverage.final.any() or later.observed_at.max() <= coverage.observed_at.max():
        return False
    rows = later.days.searchsorted(coverage.days)
    if not later.among(coverage.days).all():
        return False
    enough = coverage.counts + ~coverage.rejected
    worse = later.rejected[rows] & (coverage.counts > 0) & (later.counts[rows] < enough)
    return not bool(worse.any())
