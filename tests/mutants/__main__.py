"""Make every mutant (or those whose name holds a given text), run its command, print who was caught.

::

    python -m tests.mutants [--jobs 2] [TEXT ...]
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from .mutants import MUTANTS
from .workshop import sound, tried


def main() -> int:
    """Return 1 if a mutant got away, or a command fails on the code as it is."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="mutants side by side")
    parser.add_argument("names", nargs="*", metavar="TEXT", help="only mutants whose name holds one of these")
    options = parser.parse_args()
    environment = dict(os.environ)  # noqa: TID251 - handed on to the commands
    chosen = [m for m in MUTANTS if not options.names or any(name in m.name for name in options.names)]
    bad = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        commands = dict.fromkeys(mutant.command for mutant in chosen)
        for verdict in pool.map(lambda command: sound(command, environment), commands):
            if verdict.caught:
                print(f"fails without any mutant: {verdict.name}: {verdict.words}", flush=True)  # noqa: T201
                bad += 1
        caught = 0
        for verdict in pool.map(lambda mutant: tried(mutant, environment), chosen):
            caught += verdict.caught
            mark = "caught" if verdict.caught else "MISSED"
            print(f"{mark}  {verdict.seconds:5.1f} s  {verdict.name}: {verdict.words}", flush=True)  # noqa: T201
    print(f"{caught} of {len(chosen)} mutants caught")  # noqa: T201
    return 1 if bad or caught < len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
