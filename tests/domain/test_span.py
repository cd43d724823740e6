"""A span is a closed range of market dates."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given

from domain.strategies import dates, spans
from ohlcache.domain.span import Span


def days_of(span: Span) -> set[date]:
    return {span.start + timedelta(days=n) for n in range((span.end - span.start).days + 1)}


@given(spans(), spans())
def test_overlap_is_a_common_date(one: Span, other: Span) -> None:
    """Two spans overlap exactly when they share a date."""
    assert one.overlaps(other) == other.overlaps(one) == bool(days_of(one) & days_of(other))


@given(spans(), spans())
def test_covering_is_inclusion(one: Span, other: Span) -> None:
    """One span covers another exactly when it has all its dates."""
    assert one.covers(other) == (days_of(one) >= days_of(other))


@given(spans(), dates)
def test_membership_includes_both_ends(span: Span, day: date) -> None:
    """G15: start = end is one day; both ends belong to a span."""
    assert (day in span) == (day in days_of(span))
    assert span.start in span
    assert span.end in span
    assert len(days_of(Span(day, day))) == 1


def test_a_span_runs_forward() -> None:
    """A span that runs backwards is a bug of the caller."""
    with pytest.raises(AssertionError, match="forward"):
        Span(date(2024, 1, 2), date(2024, 1, 1))
