"""``ohlcache fidelity``: hold DynamoDB engines to one another, so that a green test means what it says.

Each behaviour that the store relies on is tried on every engine, in a table made for it; what comes out is compared
with the reference: real DynamoDB where it takes part, else the first engine named. When it last ran is remembered
beside the cache's data, and asked for: engines change, and once a week somebody should look.
"""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ohlcache.ports import Clock

RECORD_NAME = "fidelity.json"
DUE_DAYS = 7
AWS = "aws"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fidelity)


def fidelity(
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", metavar="NAME=URL", show_default=False, help="An engine, e.g. ministack=http://…"),
    ] = None,
    aws_region: Annotated[
        str | None,
        typer.Option("--aws-region", show_default=False, help="Take part with real DynamoDB, in this region."),
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="Only say when it last ran; fail when that is a week ago.")
    ] = False,
) -> None:
    """Compare DynamoDB engines in every behaviour that the cache relies on.

    Real DynamoDB takes part with the credentials of the environment: a table is made there, and deleted.
    """
    from ohlcache.assembly import build_clock
    from ohlcache.cli.checks import CheckFailed
    from ohlcache.cli.running import command_settings

    settings = command_settings()
    clock, record = build_clock(settings), settings.data_dir / RECORD_NAME
    sentence, due = _last_run(record, clock)
    sys.stdout.write(sentence + "\n")
    if last:
        if due:
            raise CheckFailed("The fidelity test is due.", hint="Run it: ohlcache fidelity --engine NAME=URL …")
        return
    outcomes = _compare(_engines(engine or [], aws_region))
    _remember(record, clock, list(outcomes))
    differences = _report(outcomes)
    if differences:
        raise CheckFailed(
            f"{differences} behaviours differ from the reference, and nobody knew.",
            hint="Mend the store, or add the difference to KNOWN_DIFFERENCES in cli/fidelity_behaviours.py.",
        )


def _engines(named: Sequence[str], aws_region: str | None) -> dict[str, tuple[str | None, str | None]]:
    """Return region and address of every engine by name, the reference first."""
    from ohlcache.domain.errors import InvalidRequest

    engines: dict[str, tuple[str | None, str | None]] = {AWS: (aws_region, None)} if aws_region else {}
    for entry in named:
        name, equals, url = entry.partition("=")
        if not equals or not url.startswith("http"):
            raise InvalidRequest(
                f"{entry!r} is not an engine.",
                hint="Write it as NAME=URL, e.g. --engine ministack=http://127.0.0.1:4566",
            )
        engines[name] = ("us-east-1", url)
    if not engines:
        raise InvalidRequest("No engine is named.", hint="Give --engine NAME=URL (twice or more), or --aws-region.")
    return engines


def _compare(engines: Mapping[str, tuple[str | None, str | None]]) -> dict[str, dict[str, str]]:
    """Return what came out of every behaviour, by engine."""
    from ohlcache.adapters.aws_clients import ClientKey, client_of
    from ohlcache.adapters.stores.dynamodb_schema import create_table
    from ohlcache.cli.fidelity_behaviours import observe_all

    outcomes = {}
    for name, (region, url) in engines.items():
        table = f"ohlcache-fidelity-{uuid4().hex[:8]}"
        create_table(table, region=region, endpoint_url=url)
        client = client_of(ClientKey("dynamodb", region, url))
        try:
            outcomes[name] = observe_all(client, table)
        finally:
            client.delete_table(TableName=table)
    return outcomes


def _report(outcomes: Mapping[str, Mapping[str, str]]) -> int:
    """Write the comparison; return how many differences from the reference are not known."""
    from ohlcache.cli.fidelity_behaviours import KNOWN_DIFFERENCES

    reference, *others = outcomes
    unknown = 0
    for behaviour, wanted in outcomes[reference].items():
        sys.stdout.write(f"{behaviour}\n    {reference}: {wanted}\n")
        for name in others:
            found = outcomes[name][behaviour]
            if found == wanted:
                continue
            known = behaviour in KNOWN_DIFFERENCES.get(name, ()) or behaviour in KNOWN_DIFFERENCES.get(reference, ())
            unknown += not known
            sys.stdout.write(f"    {name}: {found}  ({'known' if known else 'DIFFERS'})\n")
    sys.stdout.write(f"{len(outcomes[reference])} behaviours on {len(outcomes)} engines, reference {reference}\n")
    return unknown


def _last_run(record: Path, clock: Clock) -> tuple[str, bool]:
    """Return a sentence about the last run, and whether another is due."""
    from ohlcache.domain.market_time import DAY_SECONDS

    try:
        last: dict[str, Any] = json.loads(record.read_text())
        days = (clock.now() - float(last["at"])) / DAY_SECONDS
        engines = ", ".join(last["engines"])
    except (OSError, ValueError, KeyError, TypeError):
        return "It has never run here. When did it last run? Weekly is the rule.", True
    day = datetime.fromtimestamp(float(last["at"]), UTC).date()
    due = days > DUE_DAYS
    rule = "it is due again" if due else "not due yet"
    return f"It last ran {days:.0f} days ago ({day}, on {engines}): {rule}.", due


def _remember(record: Path, clock: Clock, engines: list[str]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"at": clock.now(), "engines": engines}))
