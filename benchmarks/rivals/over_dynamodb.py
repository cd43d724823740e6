"""FastAPI with a response model over boto3: one item per candle, "complete" if there are four fifths of a year."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

import boto3
import requests
from boto3.dynamodb.conditions import Key
from fastapi import FastAPI

from benchmarks.rivals.candle_models import CandleModel, CandlesModel, a_year

ENVIRONMENT = os.environ  # noqa: TID251 - a program of its own
COMPLETE_MIN = 200
app = FastAPI()
dynamodb: Any = boto3.resource(
    "dynamodb",
    region_name="eu-central-1",
    endpoint_url=ENVIRONMENT["RIVAL_DYNAMODB"],
    aws_access_key_id="testing",
    aws_secret_access_key="testing",  # noqa: S106 - local engines take any
)
table = dynamodb.create_table(
    TableName="one_item_per_candle",
    KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    AttributeDefinitions=[
        {"AttributeName": "PK", "AttributeType": "S"},
        {"AttributeName": "SK", "AttributeType": "S"},
    ],
    BillingMode="PAY_PER_REQUEST",
)


@app.get("/tickers/{ticker}/ohlc")
def ohlc(ticker: str) -> CandlesModel:
    """Return a year of daily candles."""
    first, last = a_year()
    found = table.query(
        KeyConditionExpression=Key("PK").eq(f"{ticker}#tiingo") & Key("SK").between(f"D#{first}", f"D#{last}")
    )["Items"]
    if len(found) < COMPLETE_MIN:
        found = _filled(ticker, first.isoformat(), last.isoformat())
    candles = [
        CandleModel(
            date=item["SK"][2:],
            open=float(item["open"]),
            high=float(item["high"]),
            low=float(item["low"]),
            close=float(item["close"]),
            volume=int(item["volume"]),
        )
        for item in found
    ]
    return CandlesModel(
        ticker=ticker, resolution="D", start_date=first, end_date=last, count=len(candles), candles=candles
    )


def _filled(ticker: str, first: str, last: str) -> list[dict[str, Any]]:
    answer = requests.get(
        f"{ENVIRONMENT['RIVAL_VENDOR']}/tiingo/daily/{ticker}/prices",
        params={"startDate": first, "endDate": last},
        headers={"Authorization": "Token any"},
        timeout=10,
    )
    answer.raise_for_status()
    columns = ("open", "high", "low", "close", "volume")
    items = [
        {
            "PK": f"{ticker}#tiingo",
            "SK": f"D#{row['date'][:10]}",
            **{name: Decimal(str(row[name])) for name in columns},
        }
        for row in answer.json()
    ]
    with table.batch_writer() as batch:
        for item in items:
            batch.put_item(Item=item)
    return items
