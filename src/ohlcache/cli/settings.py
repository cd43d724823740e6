"""``ohlcache settings``: every setting, what it means, its default, and what it is now."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast
# ruff: noqa: TC001 - Typer reads the annotations when it registers the command

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ohlcache.cli.parameters import AsJson


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(settings)


def settings(
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the table as Markdown, without values.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting: environment variable, value, default and meaning. Secrets are not shown."""
    import json

    from ohlcache.cli.running import command_settings
    from ohlcache.cli.settings_table import describe_settings, settings_markdown

    if markdown:
        sys.stdout.write(settings_markdown())
        return
    rows = describe_settings(command_settings())
    if as_json:
        sys.stdout.write(json.dumps({row.variable: row.value for row in rows}, indent=2) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold", pad_edge=False, show_lines=True)
    for name in ("variable", "value", "default", "meaning"):
        table.add_column(name, overflow="fold", no_wrap=name == "variable")
    for row in rows:
        value = Text(row.value, "bold" if row.chosen else "dim")
        table.add_row(Text(row.variable), value, Text(row.default), Text(row.meaning.replace("``", "")))
    Console(highlight=False).print(table)
