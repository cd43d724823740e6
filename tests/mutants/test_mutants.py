"""The mutants' own tests: none is stale, and the machinery tells a caught one from one that got away."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from .mutants import MUTANTS, Mutant
from .workshop import StaleMutant, mutated, source_of, tried

MUTANTS_MIN = 15
QUICK = ("a failing store fails the request", "a split applies to the ex-date itself", "today is the date in UTC")
# Handed on to the commands, but for what measures the tests: it would look for the mutants' code when they are gone.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # noqa: TID251


def test_there_are_enough_of_them_with_names_of_their_own() -> None:
    """Every mutant has a name of its own."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= MUTANTS_MIN


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_no_mutant_is_stale(mutant: Mutant) -> None:
    """Every mutant changes the code as it is today, and what it makes is still Python."""
    assert mutated(mutant, source_of(mutant))


def test_a_stale_mutant_is_told() -> None:
    """A mutant whose text is gone is an error, not a mutant that was caught."""
    with pytest.raises(StaleMutant):
        mutated(replace(MUTANTS[0], old="nobody wrote this"), source_of(MUTANTS[0]))


@pytest.mark.parametrize("name", QUICK)
def test_a_mutant_is_caught(name: str) -> None:
    """The simulation notices the fault within a few seeds."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    verdict = tried(mutant, ENVIRONMENT)
    assert verdict.caught
    assert verdict.words.startswith("seed ")


def test_code_without_a_fault_is_not_caught() -> None:
    """A mutant that changes nothing gets away: the copy is whole, and it is the copy that runs."""
    mutant = replace(
        MUTANTS[0],
        old=MUTANTS[0].old,
        new=MUTANTS[0].old,
        command=("-c", "import ohlcache; assert 'mutant-' in ohlcache.__file__"),
    )
    assert not tried(mutant, ENVIRONMENT).caught
