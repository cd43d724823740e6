"""What a benchmark reports, and how reports become a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing.

    ``ratio`` is what is compared between runs (ours to theirs); ``better`` says which way it should go; ``target`` is
    the bound it should reach, in the ratio's or the figure's own unit, as a sentence; ``met`` whether it did.
    ``benchmark`` is the one that measured it.
    """

    name: str
    figure: str
    against: str
    ratio: float | None
    better: str = "higher"
    target: str = ""
    met: bool | None = None
    benchmark: str = ""


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | figure | against | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        met = "" if row.met is None else "yes" if row.met else "**no**"
        lines.append(f"| {row.name} | {row.figure} | {row.against} | {ratio} | {row.target} | {met} |")
    return "\n".join(lines) + "\n"
