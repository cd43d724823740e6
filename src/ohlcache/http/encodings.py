"""An answer as bytes: JSON in rows or columns, CSV, Arrow. The bytes depend on the answer alone, never on its tier.

Prices are written with the fewest digits that read back as the same float64, so every format is exact to the bit.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ohlcache.domain.market_time import DAY_SECONDS, iso_instant
from ohlcache.http.errors import NotAcceptable
from ohlcache.http.negotiation import Format

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from numpy.typing import NDArray

    from ohlcache.domain.answer import Answer

CSV_HEADER = b"date,open,high,low,close,volume\n"
ARROW_METADATA_KEY = b"ohlcache"

_encode_json = msgspec.json.Encoder().encode


class CandleRow(msgspec.Struct, frozen=True, gc=False):
    """One candle of the row form."""

    date: str | date
    open: float
    high: float
    low: float
    close: float
    volume: int


class CandleColumns(msgspec.Struct, frozen=True):
    """All candles of the columnar form."""

    date: list[str] | list[date]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int]


class SplitRow(msgspec.Struct, frozen=True):
    """A split: its ex-date, and the new shares per old one."""

    date: str
    ratio: float


class Document(msgspec.Struct, frozen=True):
    """The JSON of an answer; the order of the fields is the order on the wire."""

    ticker: str
    candles: list[CandleRow] | CandleColumns
    time_range: str
    start_date: str
    end_date: str
    count: int
    source: str
    cache_expires_at: str | None
    resolution: str
    resolution_fallback: bool
    fallback_message: str | None
    adjustment: str
    expected: int
    known_empty: int
    forming: int
    complete: bool
    missing: tuple[str, ...]
    calendar_version: str
    data_until: str | None
    synthetic: bool
    stale: bool
    stale_reason: str | None
    missing_reason: str | None
    previous_close: float | None
    listed_on: str | None
    unadjusted_splits: tuple[SplitRow, ...] | None


def encode_answer(answer: Answer, form: Format) -> bytes:
    """Return ``answer`` in ``form``; NotAcceptable when this installation cannot write it."""
    return _ENCODERS[form](answer)


def days_of(answer: Answer) -> list[date]:
    """Return the market date of every daily candle; encoders write it as ``YYYY-MM-DD``."""
    days: list[date] = answer.candles.time.astype("datetime64[s]").astype("datetime64[D]").tolist()
    return days


def instants_of(answer: Answer) -> list[str]:
    """Return the instant at which each bar starts, as the API writes it."""
    times = answer.candles.time
    if not len(times):
        return []
    # Formatting instants one by one costs more than everything else together, and days and times of day repeat:
    # each is formatted once, then the characters of both are gathered.
    days_since_epoch, day_of = np.unique(times // DAY_SECONDS, return_inverse=True)
    seconds, second_of = np.unique(times % DAY_SECONDS, return_inverse=True)
    day_texts = np.datetime_as_string(days_since_epoch.astype("datetime64[D]")).astype("U10")
    second_texts = np.array([_time_of_day(int(second)) for second in seconds])
    letters = np.concatenate([_letters(day_texts)[day_of], _letters(second_texts)[second_of]], axis=1)
    instants: list[str] = np.ascontiguousarray(letters).view(f"U{letters.shape[1]}").ravel().tolist()
    return instants


def instant_text(instant: float | None) -> str | None:
    """Return ``instant`` as the API writes it; None for none and for never."""
    return None if instant is None or not math.isfinite(instant) else iso_instant(instant)


def _time_of_day(second: int) -> str:
    return f"T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


def _letters(texts: NDArray[np.str_]) -> NDArray[np.uint32]:
    """Return equally long texts as a matrix of code points."""
    return np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), -1)


def _document(answer: Answer, candles: list[CandleRow] | CandleColumns) -> Document:
    request, certificate, baseline = answer.request, answer.certificate, answer.baseline
    splits = baseline.unadjusted_splits
    return Document(
        ticker=request.ticker,
        candles=candles,
        time_range=request.range,
        start_date=request.span.start.isoformat(),
        end_date=request.span.end.isoformat(),
        count=certificate.count,
        source=answer.source,
        cache_expires_at=instant_text(answer.fresh_until),
        resolution=answer.resolution.value,
        resolution_fallback=answer.fallback is not None,
        fallback_message=answer.fallback.message if answer.fallback is not None else None,
        adjustment=answer.adjustment.value,
        expected=certificate.expected,
        known_empty=certificate.known_empty,
        forming=certificate.forming,
        complete=certificate.complete,
        missing=certificate.missing,
        calendar_version=certificate.calendar_version,
        data_until=instant_text(answer.data_until),
        synthetic=answer.synthetic,
        stale=answer.stale,
        stale_reason=answer.stale_reason,
        missing_reason=answer.missing_reason,
        previous_close=baseline.previous_close,
        listed_on=None if baseline.listed_on is None else baseline.listed_on.isoformat(),
        unadjusted_splits=None if splits is None else tuple(SplitRow(s.day.isoformat(), s.ratio) for s in splits),
    )


def _columns(answer: Answer) -> tuple[list[float], list[float], list[float], list[float], list[int]]:
    candles = answer.candles
    return (
        candles.open.tolist(),
        candles.high.tolist(),
        candles.low.tolist(),
        candles.close.tolist(),
        candles.volume.tolist(),
    )


def _dates(answer: Answer) -> list[date] | list[str]:
    return days_of(answer) if answer.resolution.is_daily else instants_of(answer)


def _json_rows(answer: Answer) -> bytes:
    return _encode_json(_document(answer, list(map(CandleRow, _dates(answer), *_columns(answer)))))


def _json_columns(answer: Answer) -> bytes:
    return _encode_json(_document(answer, CandleColumns(_dates(answer), *_columns(answer))))


def _csv(answer: Answer) -> bytes:
    if not len(answer.candles):
        return CSV_HEADER
    # The JSON encoder writes a whole column at once, several times as fast as Python writes number by number.
    dates = ",".join(map(str, _dates(answer))).encode().split(b",")
    columns = [_encode_json(column)[1:-1].split(b",") for column in _columns(answer)]
    return CSV_HEADER + b"\n".join(map(b",".join, zip(dates, *columns, strict=True))) + b"\n"


def _arrow(answer: Answer) -> bytes:
    """Return an Arrow IPC stream; everything of the JSON but the candles is in the schema's metadata, as JSON."""
    pyarrow = _import_pyarrow()
    candles = answer.candles
    daily = answer.resolution.is_daily
    unit = "datetime64[D]" if daily else "datetime64[s]"
    dates = pyarrow.array(
        candles.time.astype("datetime64[s]").astype(unit),
        type=pyarrow.date32() if daily else pyarrow.timestamp("s", tz="UTC"),
    )
    columns = {"date": dates} | {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    certificate = msgspec.to_builtins(_document(answer, []))
    del certificate["candles"]
    table = pyarrow.table(columns).replace_schema_metadata({ARROW_METADATA_KEY: _encode_json(certificate)})
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _import_pyarrow() -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        pyarrow = importlib.import_module("pyarrow")
        importlib.import_module("pyarrow.ipc")
    except ImportError as exc:
        raise NotAcceptable(
            "This server cannot write Arrow: the extra is not installed.",
            hint="Ask for format=columns or format=csv, or let the operator install ohlcache[arrow].",
            field="format",
        ) from exc
    return pyarrow


_ENCODERS: dict[Format, Callable[[Answer], bytes]] = {
    Format.JSON: _json_rows,
    Format.COLUMNS: _json_columns,
    Format.CSV: _csv,
    Format.ARROW: _arrow,
}
