"""Options that several commands share: what is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Ticker: TypeAlias = Annotated[
    str, typer.Argument(metavar="TICKER", show_default=False, help="The symbol, e.g. AAPL or BRK.B.")
]
Range: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--range", "-r", metavar="RANGE", show_default=False, help="1D 1W 1M 3M 6M 1Y 5Y YTD, ending today (New York)."
    ),
]
Start: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="DATE", show_default=False, help="First market date, YYYY-MM-DD; instead of a range."
    ),
]
End: TypeAlias = Annotated[
    str | None,
    typer.Option("--end", metavar="DATE", show_default=False, help="Last market date, YYYY-MM-DD; today if left out."),
]
ResolutionName: TypeAlias = Annotated[
    str, typer.Option("--resolution", "-i", metavar="RESOLUTION", help="1 5 15 30 60 (minutes), or D for daily.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Write JSON.")]
File: TypeAlias = Path
