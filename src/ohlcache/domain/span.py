"""A closed range of market dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The market dates from ``start`` through ``end``, both included."""

    start: date
    end: date

    def __post_init__(self) -> None:
        assert self.start <= self.end, f"a span runs forward: {self.start} > {self.end}"

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end

    def __str__(self) -> str:
        return f"{self.start.isoformat()}..{self.end.isoformat()}"

    def overlaps(self, other: Span) -> bool:
        """Whether the two share at least one date."""
        return self.start <= other.end and other.start <= self.end

    def covers(self, other: Span) -> bool:
        """Whether every date of ``other`` is in this one."""
        return self.start <= other.start and other.end <= self.end

    def without_ends(self, ends: Iterable[Span]) -> Span | None:
        """Return the dates that are in none of ``ends``, which lie at its beginning or its end; None without any."""
        start, end = self.start, self.end
        for part in ends:
            if part.start == self.start:
                start = part.end + timedelta(days=1)
            else:
                end = part.start - timedelta(days=1)
        return Span(start, end) if start <= end else None
