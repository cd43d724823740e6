"""Results as files, and results against their baselines."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.table import Row, markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BASELINES = HERE / "baselines.json"
WORSE_MAX = 0.20


def machine() -> str:
    """Return the machine in words."""
    load = os.getloadavg()[0]
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ({_processor()}), "
        f"Python {platform.python_version()}, load average {load:.1f} at the end of the run"
    )


def write(rows: Sequence[Row], skipped: Sequence[str]) -> Path:
    """Write ``results/latest.md`` and ``.json``; return the former."""
    RESULTS.mkdir(exist_ok=True)
    text = f"{markdown(list(rows))}\n{machine()}.\n" + "".join(f"\nNot run: {line}.\n" for line in skipped)
    (RESULTS / "latest.md").write_text(text)
    (RESULTS / "latest.json").write_text(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n")
    return RESULTS / "latest.md"


def read_rows(file: Path) -> list[Row]:
    """Return the rows that a file of results holds."""
    return [Row(**entry) for entry in json.loads(file.read_text())]


def worse(rows: Sequence[Row]) -> dict[str, str]:
    """Return by name every row whose ratio is worse than its baseline by more than a fifth, and how much."""
    baselines = json.loads(BASELINES.read_text()) if BASELINES.exists() else {}
    found = {}
    for row in rows:
        held = baselines.get(row.name)
        if held is None or row.ratio is None:
            continue
        loss = held / row.ratio - 1 if row.better == "higher" else row.ratio / held - 1
        if loss > WORSE_MAX:
            found[row.name] = f"{row.name}: ratio {row.ratio:.3g}, baseline {held:.3g}: {loss:.0%} worse"
    return found


def set_baselines(rows: Sequence[Row]) -> None:
    """Make the ratios of ``rows`` the baselines; those of other rows stay."""
    baselines = json.loads(BASELINES.read_text()) if BASELINES.exists() else {}
    baselines |= {row.name: float(f"{row.ratio:.3g}") for row in rows if row.ratio is not None}
    BASELINES.write_text(json.dumps(dict(sorted(baselines.items())), indent=2, ensure_ascii=False) + "\n")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else "unknown"
