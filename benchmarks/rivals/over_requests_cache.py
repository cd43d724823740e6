"""FastAPI with a response model over requests-cache on SQLite: the vendor's answer is cached as it came."""

from __future__ import annotations

import os

import requests_cache
from fastapi import FastAPI

from benchmarks.rivals.candle_models import CandleModel, CandlesModel, a_year

ENVIRONMENT = os.environ  # noqa: TID251 - a program of its own
app = FastAPI()
session = requests_cache.CachedSession(ENVIRONMENT["RIVAL_CACHE"], backend="sqlite", expire_after=3600)


@app.get("/tickers/{ticker}/ohlc")
def ohlc(ticker: str) -> CandlesModel:
    """Return a year of daily candles."""
    first, last = a_year()
    answer = session.get(
        f"{ENVIRONMENT['RIVAL_VENDOR']}/tiingo/daily/{ticker}/prices",
        params={"startDate": first.isoformat(), "endDate": last.isoformat()},
        headers={"Authorization": "Token any"},
        timeout=10,
    )
    answer.raise_for_status()
    candles = [CandleModel(**{**row, "date": row["date"][:10]}) for row in answer.json()]
    return CandlesModel(
        ticker=ticker, resolution="D", start_date=first, end_date=last, count=len(candles), candles=candles
    )
