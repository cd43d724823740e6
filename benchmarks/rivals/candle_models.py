"""The response of both rivals: models, as every FastAPI tutorial has them."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel


class CandleModel(BaseModel):
    """One candle."""

    date: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: int


class CandlesModel(BaseModel):
    """The answer."""

    ticker: str
    resolution: str
    start_date: dt.date
    end_date: dt.date
    count: int
    candles: list[CandleModel]


def a_year() -> tuple[dt.date, dt.date]:
    """Return the last 365 days."""
    today = dt.datetime.now(dt.UTC).date()  # noqa: TID251 - as they are built
    return today - dt.timedelta(days=365), today
