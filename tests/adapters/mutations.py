"""Recorded bodies, damaged: what a parser may meet and must not stumble over; and cells, replaced one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

INTRUDERS = [
    b"null", b"NaN", b"-1", b"0", b"1e999", b"-0.0", b"99999999999999999999999", b'"x"', b"[]", b"{}", b",", b"\xff",
    b"true", b"1e300", b"9223372036854775807", b"2015-01-02", b"\x00", b'"s":"ok",', b"0.5",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, bodies: Sequence[bytes]) -> bytes:
    body = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        piece = draw(st.one_of(st.sampled_from(INTRUDERS), st.just(b""), st.binary(max_size=8)))
        body = body[:start] + piece + body[end:]
    return body


CELLS: list[object] = [
    None, "n/a", "", "12.5", 0, -1, -0.5, 1e300, float("nan"), float("inf"), float("-inf"), 10**30, True, [], {}, [1], "\u2028",
]  # fmt: skip


def spoilt_cells(rows: int, fields: Sequence[str]) -> st.SearchStrategy[dict[int, tuple[str, object]]]:
    """Draw which rows get which cell; whatever it is, it is not what was there, and may be no fault."""
    return st.dictionaries(
        st.integers(0, rows - 1), st.tuples(st.sampled_from(fields), st.sampled_from(CELLS)), max_size=6
    )
