"""``ohlcache create-table``: make the DynamoDB table, for development; in production ``infra/`` makes it."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import sys
from typing import Annotated

import typer

Table = Annotated[str | None, typer.Option("--table", show_default=False, help="Its name (default: OHLC_CACHE_TABLE).")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("create-table")(create_table)


def create_table(table: Table = None) -> None:
    """Make the DynamoDB table that OHLC_CACHE_TABLE names, where AWS_REGION or AWS_ENDPOINT_URL_DYNAMODB says.

    A table that is there already is left as it is, once its keys were found to be right.
    """
    from ohlcache.adapters.stores import dynamodb_schema
    from ohlcache.cli.table_settings import table_settings

    settings = table_settings(table)
    done = dynamodb_schema.create_table(
        settings.table or "", region=settings.aws_region, endpoint_url=settings.dynamodb_endpoint_url
    )
    sys.stdout.write("".join(f"{sentence}\n" for sentence in done))
