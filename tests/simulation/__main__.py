"""Run seeds: one to replay it, a range to search it, or fresh ones for some minutes.

::

    python -m tests.simulation --seed 68 --steps 14 --trace
    python -m tests.simulation --seeds 0:2000 --jobs 2
    python -m tests.simulation --soak 30 --jobs 2
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from typing import TYPE_CHECKING

from .world import STEPS_DEFAULT, Report, SimulationFailed, World, simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOAK_STEPS = 40
BATCH_SEEDS = 25
MINUTE_SECONDS = 60.0


class Tally:
    """What many runs did together."""

    def __init__(self) -> None:
        self.seeds = 0
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.longest_seconds = 0.0
        self.failures: list[str] = []

    def add(self, report: Report | str) -> None:
        """Count one run, or what it failed with."""
        self.seeds += 1
        if isinstance(report, str):
            self.failures.append(report)
            return
        for name in (
            "steps",
            "requests",
            "answers",
            "complete",
            "refusals",
            "vendor_calls",
            "store_operations",
            "turns",
        ):
            self.counts[name] += getattr(report, name)
        self.faults.update(report.faults)
        self.longest_seconds = max(self.longest_seconds, report.longest_seconds)

    def lines(self) -> Iterator[str]:
        """Yield the tally as text."""
        counts = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in self.counts.items())
        yield f"{self.seeds:,} seeds: {counts}; the longest request took {self.longest_seconds:.1f} s"
        faults = ", ".join(f"{name} {value:,}" for name, value in self.faults.most_common())
        yield f"{self.faults.total():,} faults: {faults}"

    def as_json(self) -> str:
        """Return the tally for a program."""
        return json.dumps({"seeds": self.seeds, "failed": len(self.failures), **self.counts, "faults": self.faults})


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return 1 if any seed failed."""
    options = _parser().parse_args(arguments)
    if options.seed is not None:
        return _replay(options.seed, options.steps, trace=options.trace)
    tally = Tally()
    if options.soak is not None:
        until = time.monotonic() + options.soak * MINUTE_SECONDS
        seeds: Iterable[int] = count(options.first)
        steps = options.steps or SOAK_STEPS
    else:
        first, last = (int(end) for end in options.seeds.split(":"))
        until, seeds, steps = float("inf"), range(first, last), options.steps or STEPS_DEFAULT
    for results in _batches(seeds, steps, options.jobs):
        for result in results:
            tally.add(result)
            if isinstance(result, str):
                print(result, flush=True)  # noqa: T201 - a command prints
        if time.monotonic() > until or (tally.failures and not options.keep_going):
            break
    print("\n".join(tally.lines()))  # noqa: T201
    if options.json:
        print(tally.as_json())  # noqa: T201
    return 1 if tally.failures else 0


def run_seeds(seeds: list[int], steps: int) -> list[Report | str]:
    """Return the report of each seed, or what it failed with."""
    results: list[Report | str] = []
    for seed in seeds:
        try:
            results.append(simulate(seed, steps))
        except SimulationFailed as exc:
            results.append(str(exc))
    return results


def _batches(seeds: Iterable[int], steps: int, jobs: int) -> Iterator[list[Report | str]]:
    seeds = iter(seeds)
    if jobs == 1:
        while batch := list(islice(seeds, BATCH_SEEDS)):
            yield run_seeds(batch, steps)
        return
    with ProcessPoolExecutor(jobs) as pool:
        while True:
            running = [
                pool.submit(run_seeds, batch, steps)
                for _ in range(2 * jobs)
                if (batch := list(islice(seeds, BATCH_SEEDS)))
            ]
            if not running:
                return
            for future in running:
                yield future.result()


def _replay(seed: int, steps: int | None, *, trace: bool) -> int:
    try:
        report = simulate(seed, steps or STEPS_DEFAULT, tell=_tell if trace else None)
    except SimulationFailed as exc:
        print(exc)  # noqa: T201
        return 1
    print(report)  # noqa: T201
    return 0


def _tell(world: World, line: str) -> None:
    print(f"{world.when()} {line}")  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="run this one seed")
    parser.add_argument("--seeds", default="0:200", help="run the seeds FIRST:LAST")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="run seeds for so long")
    parser.add_argument("--first", type=int, default=1_000_000, help="the first seed of a soak")
    parser.add_argument("--steps", type=int, help="how much happens in each")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happens")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first seed that fails")
    parser.add_argument("--json", action="store_true", help="print the counts once more, for a program")
    return parser


if __name__ == "__main__":
    sys.exit(main())
