"""How much of what can go wrong in the domain and the service is noticed: the mutation score.

::

    python -m tests.mutants.score --jobs 2                        # every fault that the rules make
    python -m tests.mutants.score --jobs 2 --sample 400 --seed 1  # so many of them, drawn from the seed
    python -m tests.mutants.score --only service/covering.py:42   # those in a file, or on one of its lines
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from .nest import FOLDERS, TESTS, Knowledge, Nest, Outcome, collected, read_knowledge
from .operators import Fault, faults_of
from .workshop import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEEDS = 40
SEED_SECONDS = 0.5
QUICK_SECONDS_MAX = 12.0
"""The tests of a fault run until so much processor time would be spent; the slowest are left to the second look."""
POLL_SECONDS = 0.02
SOURCES = ROOT / "src" / "ohlcache"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault and the file that it is in, below src/ohlcache."""

    path: str
    fault: Fault

    def __str__(self) -> str:
        """Return where it is and what it does, in one line."""
        words = [" ".join(text.split()) for text in (self.fault.old, self.fault.new)]
        return f"{self.path}:{self.fault.line} {self.fault.rule}: {words[0]} → {words[1]}"


def every_mutant() -> list[Mutant]:
    """Return every mutant of the domain and the service."""
    files = sorted(path for folder in FOLDERS for path in (SOURCES / folder).glob("*.py"))
    return [Mutant(str(path.relative_to(SOURCES)), fault) for path in files for fault in faults_of(path.read_bytes())]


def chosen_of(mutants: list[Mutant], only: Sequence[str], sample: int | None, seed: int) -> list[Mutant]:
    """Return those that are asked for: named by file and line, or drawn."""
    if only:
        mutants = [m for m in mutants if m.path in only or f"{m.path}:{m.fault.line}" in only]
    if sample is None or sample >= len(mutants):
        return mutants
    # In the order drawn, so that what was tried when somebody lost patience is a sample, too.
    return random.Random(seed).sample(mutants, sample)


def tried(
    nest: Nest, knowledge: Knowledge, mutants: Sequence[Mutant], jobs: int, *, quick: bool
) -> Iterator[tuple[Mutant, Outcome]]:
    """Try every mutant, some side by side, and yield what became of each."""
    waiting = list(reversed(mutants))
    running: dict[int, tuple[Mutant, Path, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            fault = mutant.fault
            tests = knowledge.tests_of(mutant.path, fault.line, fault.last_line)
            if quick:
                tests = _quick(tests, knowledge)
            seconds = sum(knowledge.seconds[test] for test in tests) + SEEDS * SEED_SECONDS
            text = fault.put_in((SOURCES / mutant.path).read_bytes())
            child, folder = nest.hatch(mutant.path, text, tests, seconds, SEEDS if quick else 0)
            running[child] = (mutant, folder, time.monotonic())
        for child, (mutant, folder, began) in list(running.items()):
            outcome = collected(child, folder, began)
            if outcome is not None:
                del running[child]
                yield mutant, outcome
        time.sleep(POLL_SECONDS)


def _quick(tests: Sequence[str], knowledge: Knowledge) -> list[str]:
    chosen, spent = [], 0.0
    for test in tests:
        spent += knowledge.seconds[test]
        if spent > QUICK_SECONDS_MAX and chosen:
            break
        chosen.append(test)
    return chosen


def known(nest: Nest) -> Knowledge:
    """Return what the tests run, learnt anew when any source or test has changed."""
    digest = sha256()
    for folder in (SOURCES, *(ROOT / tests for tests in TESTS)):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    kept = ROOT / ".build" / f"mutation-{digest.hexdigest()[:16]}.json"
    kept.parent.mkdir(exist_ok=True)
    return read_knowledge(kept) if kept.exists() else nest.learn(kept)


def report_of(outcomes: Sequence[tuple[Mutant, Outcome]], whole: int, command: str) -> str:
    """Return the result as a page."""
    if not outcomes:
        return "Nothing was tried.\n"
    caught = [mutant for mutant, outcome in outcomes if outcome.caught]
    missed = sorted(str(mutant) for mutant, outcome in outcomes if not outcome.caught)
    by_seed = sum(outcome.caught and outcome.by.startswith("seed ") for _, outcome in outcomes)
    share = f"{len(caught)} of {len(outcomes)} mutants caught ({len(caught) / len(outcomes):.1%}), of {whole} there are"
    lines = [
        f"{share}; {len(caught) - by_seed} by a test, {by_seed} by a seed of the simulation (`{command}`).",
        "",
        "| | mutants | caught | score |",
        "|---|---|---|---|",
    ]
    for title, name_of in (("rule", lambda m: m.fault.rule), ("file", lambda m: f"`{m.path}`")):
        tried_of, caught_of = Counter(name_of(m) for m, _ in outcomes), Counter(map(name_of, caught))
        lines += [
            f"| {title} {name} | {count} | {caught_of[name]} | {caught_of[name] / count:.0%} |"
            for name, count in sorted(tried_of.items())
        ]
    return "\n".join([*lines, "", "Missed:", "", *(f"* `{line}`" for line in missed), ""])


def main() -> int:
    """Return 1 if the score is below what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.score", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="mutants side by side")
    parser.add_argument("--sample", type=int, help="so many, drawn; all of them without it")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn with")
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE[:LINE]", help="below src/ohlcache")
    parser.add_argument("--least", type=float, default=85.0, help="the score, in per cent, that is enough")
    parser.add_argument("--report", type=Path, help="where the result is written")
    options = parser.parse_args()
    nest = Nest(dict(os.environ))  # noqa: TID251 - handed on to the tests
    knowledge = known(nest)
    mutants = every_mutant()
    chosen = chosen_of(mutants, options.only, options.sample, options.seed)
    outcomes = dict(_told(tried(nest, knowledge, chosen, options.jobs, quick=True)))
    # What got away is looked at again with every test that runs its lines, however slow.
    escaped = [mutant for mutant, outcome in outcomes.items() if not outcome.caught]
    outcomes.update(_told(tried(nest, knowledge, escaped, options.jobs, quick=False)))
    page = report_of(list(outcomes.items()), len(mutants), f"python -m tests.mutants.score {' '.join(sys.argv[1:])}")
    print(page)  # noqa: T201
    if options.report is not None:
        options.report.write_text(page)
    share = sum(outcome.caught for outcome in outcomes.values()) / max(1, len(outcomes))
    return 0 if share * 100 >= options.least else 1


def _told(outcomes: Iterator[tuple[Mutant, Outcome]]) -> Iterator[tuple[Mutant, Outcome]]:
    for mutant, outcome in outcomes:
        mark = "caught" if outcome.caught else "MISSED"
        print(f"{mark} {outcome.seconds:5.1f} s  {mutant}  ({outcome.by})", flush=True)  # noqa: T201
        yield mutant, outcome


if __name__ == "__main__":
    sys.exit(main())
