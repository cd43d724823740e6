"""Hold the measured coverage against the gates: lines >= 90 %, branches >= 85 %.

Usage: ``python tools/check_coverage.py coverage.json``; exits 1 below a gate.
"""

import json
import sys
from pathlib import Path

LINES_MIN = 90.0
BRANCHES_MIN = 85.0


def main(report: Path) -> int:
    """Print both figures and return the exit status."""
    totals = json.loads(report.read_text())["totals"]
    lines = 100 * totals["covered_lines"] / totals["num_statements"]
    branches = 100 * totals["covered_branches"] / totals["num_branches"]
    print(f"coverage: lines {lines:.1f} % of {LINES_MIN:.0f} %, branches {branches:.1f} % of {BRANCHES_MIN:.0f} %")
    return 0 if lines >= LINES_MIN and branches >= BRANCHES_MIN else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
