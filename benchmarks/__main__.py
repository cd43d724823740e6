"""Run benchmarks and print one table: ``python -m benchmarks [NAME ...]``.

Each runs in a process of its own. ``--check`` compares the ratios with ``baselines.json``: what is more than a fifth
worse is measured once more and fails if it still is. ``--rebase`` makes the ratios of this run the baselines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import report
from benchmarks.processes import Skipped
from benchmarks.table import markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.table import Row

NAMES = (
    "http_hits",
    "http_rivals",
    "library_hits",
    "store_hits",
    "disk",
    "fills",
    "backfill",
    "dynamodb_units",
    "scale",
    "clients",
    "cold_start",
    "hit_ratios",
)
SKIPPED_EXIT_CODE = 77


def main() -> int:
    """Return 1 when a benchmark broke, or a ratio is worse than its baseline allows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default all: {' '.join(NAMES)}")
    parser.add_argument("--check", action="store_true", help="compare with the baselines")
    parser.add_argument("--rebase", action="store_true", help="make these ratios the baselines")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in NAMES]
    if unknown:
        parser.error(f"no such benchmark: {' '.join(unknown)}; there are {' '.join(NAMES)}")
    if chosen.into is not None:
        return _run_here(chosen.names[0], chosen.into)
    rows, skipped, broken = _run_all(chosen.names or NAMES)
    worse = report.worse(rows)
    if chosen.check and worse:
        rows = _measured_again(rows, worse)
        worse = report.worse(rows)
    if chosen.rebase:
        report.set_baselines(rows)
    print(markdown(rows))
    print(f"{report.machine()}.\nWritten to {report.write(rows, skipped)}.")
    if chosen.check:
        print("\n".join(worse.values()) or "No ratio is worse than its baseline by more than a fifth.")
    return 1 if broken or (chosen.check and worse) else 0


def _run_here(name: str, into: Path) -> int:
    try:
        rows = import_module(f"benchmarks.{name}").run()
    except Skipped as exc:
        print(exc)
        return SKIPPED_EXIT_CODE
    into.write_text(json.dumps([asdict(replace(row, benchmark=name)) for row in rows]))
    return 0


def _run_all(names: Sequence[str]) -> tuple[list[Row], list[str], bool]:
    rows: list[Row] = []
    skipped = []
    broken = False
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        measured, why = _run_apart(name)
        rows += measured
        if why is not None:
            skipped.append(f"{name} ({why})")
            print(f"{name}: {why}", file=sys.stderr)
        elif not measured:
            broken = True
            print(f"{name}: it broke, see above", file=sys.stderr)
    return rows, skipped, broken


def _run_apart(name: str) -> tuple[list[Row], str | None]:
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "benchmarks", "--into", str(into), name]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode == SKIPPED_EXIT_CODE:
            return [], done.stdout.strip().splitlines()[-1]
        return (report.read_rows(into) if done.returncode == 0 else []), None


def _measured_again(rows: Sequence[Row], worse: dict[str, str]) -> list[Row]:
    """Return the rows, those of benchmarks with a loss from a second run: a busy moment is no regression."""
    suspects = {row.benchmark for row in rows if row.name in worse}
    again = {row.name: row for name in sorted(suspects) for row in _run_apart(name)[0]}
    return [again.get(row.name, row) if row.name in worse else row for row in rows]


if __name__ == "__main__":
    sys.exit(main())
