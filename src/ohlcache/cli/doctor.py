"""``ohlcache doctor``: is everything as it should be, and if not, what to do."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast
# ruff: noqa: TC001 - Typer reads the annotations when it registers the command

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from ohlcache.cli.exit_codes import ExitCode
from ohlcache.cli.parameters import AsJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.cli.examination import Finding


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(*, as_json: AsJson = False) -> None:
    """Check settings, keys, store, vendors, calendar, clock and extras, and say what to do; exit code 1 on a fail."""
    from ohlcache.cli.examination import Verdict, examine
    from ohlcache.cli.running import run

    findings = run(examine())
    if as_json:
        sys.stdout.write(
            json.dumps(
                [{"verdict": f.verdict, "subject": f.subject, "found": f.found, "hint": f.hint} for f in findings]
            )
            + "\n"
        )
    else:
        _print(findings)
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _print(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    console = Console(highlight=False)
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        head = Text(f"{finding.verdict:<4}  ", styles[finding.verdict])
        console.print(head, Text(f"{finding.subject:<{width}}  {finding.found}"), sep="", soft_wrap=True)
        if finding.hint:
            console.print(Text(f"{'':<{width + 6}}  -> {finding.hint}", "italic"), soft_wrap=True)
