"""Thousands of short seeds, some longer ones, and the proof that a seed replays: see docs/simulation.md."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from .virtual_loop import PROCESS, Deadlock, Process, VirtualLoop
from .weather import ALWAYS_THERE, Kind
from .world import NODES_MIN, World, simulate

ROOT = Path(__file__).parents[2]
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "2000"))  # noqa: TID251 - an option of the test run, not a setting
PARTS = 4
LONG_SEEDS = 12
LONG_STEPS = 40
IN_PROCESS_SEEDS = 20


def _command(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the simulation in a process of its own: what measures the tests would slow it down threefold."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # noqa: TID251
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env={**environment, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_seed_breaks_a_promise(part: int) -> None:
    """A fleet under every fault answers right, in time, and calls the vendor no more than it must.

    C7 C8 D1 D2 D3 D4 D5 D6 D7 D8 D10 D11 D12 E1 E2 E5 E13 E16 E18 F2 F3 F7 F8 G2 G3 G8 G11 G12
    """
    each = SEEDS // PARTS
    done = _command("--seeds", f"{part * each}:{(part + 1) * each}", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    sys.stdout.write(done.stdout)
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["seeds"] == each
    if each >= 200:
        struck = set(counts["faults"])
        assert {kind.value for kind in Kind} - {kind.value for kind in ALWAYS_THERE} <= struck


@pytest.mark.timeout(600)
def test_no_long_seed_breaks_a_promise() -> None:
    """The same over weeks of sessions, holidays, half-days and changes of the clock in one run."""
    done = _command("--seeds", f"900000:{900000 + LONG_SEEDS}", "--steps", str(LONG_STEPS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seed", range(IN_PROCESS_SEEDS))
def test_a_seed_in_this_process(seed: int) -> None:
    """A few seeds run here, too, where coverage is measured."""
    assert simulate(7_000_000 + seed).requests


def test_a_seed_replays_exactly() -> None:
    """The same seed does the same, turn by turn, in another process with other hashes."""
    once = simulate(42, 8)
    assert simulate(42, 8) == once
    lines = [_command("--seed", "42", "--steps", "8", hash_seed=seed).stdout for seed in ("1", "2")]
    assert lines[0] == lines[1]
    assert f"digest={once.digest}" in lines[0]


def test_seeds_differ() -> None:
    """Another seed is another run."""
    assert len({simulate(seed, 2).digest for seed in range(5)}) == 5


def test_a_failure_names_its_seed_and_how_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken promise is told with its seed, its steps and the command that shows it again."""

    async def live(world: World) -> None:
        world.note("something odd")
        raise AssertionError("a promise was broken")

    monkeypatch.setattr(World, "live", live)
    with pytest.raises(AssertionError, match=r"python -m tests\.simulation --seed 7 --steps 3 --trace") as failure:
        simulate(7, 3)
    assert "something odd" in str(failure.value)


def test_every_world_is_a_fleet() -> None:
    """There are twenty nodes and more, each with a clock, a memory tier and a breaker of its own."""
    world = World(1, 1)
    assert len(world.nodes) >= NODES_MIN
    assert len({id(node.memory) for node in world.nodes}) == len(world.nodes)


class TestVirtualLoop:
    """The loop keeps asyncio's promises within a process and none between processes."""

    def test_time_leaps_when_nothing_can_run(self) -> None:
        """A year of waiting costs nothing."""
        loop = VirtualLoop(random.Random(1), 1000.0)
        loop.run(loop.sleep(365 * 86_400.0))
        assert loop.time() == 1000.0 + 365 * 86_400.0

    def test_one_process_runs_in_order_and_several_do_not(self) -> None:
        """Callbacks of one process run as scheduled; of several, as drawn."""

        def order(seed: int, processes: int) -> list[int]:
            loop, ran = VirtualLoop(random.Random(seed), 0.0), []

            async def work() -> None:
                for number in range(20):
                    PROCESS.set(homes[number % processes])
                    loop.call_soon(ran.append, number)
                PROCESS.set(None)
                await loop.sleep(1.0)

            homes = [Process(str(number)) for number in range(processes)]
            loop.run(work())
            return ran

        assert order(1, 1) == order(2, 1) == list(range(20))
        assert order(1, 5) != order(2, 5)
        assert [n for n in order(1, 5) if n % 5 == 0] == [0, 5, 10, 15]

    def test_a_paused_process_wakes_late(self) -> None:
        """What should have happened during a pause happens after it."""
        loop = VirtualLoop(random.Random(1), 0.0)
        home = Process("home")

        async def work() -> float:
            PROCESS.set(home)
            waiting = loop.create_task(loop.sleep(1.0))
            PROCESS.set(None)
            loop.pause(home, 5.0)
            await waiting
            return loop.time()

        assert loop.run(work()) == 6.0  # it had not begun to wait

    def test_waiting_for_nothing_is_told(self) -> None:
        """Nobody hangs: a wait that cannot end is an error."""
        loop = VirtualLoop(random.Random(1), 0.0)

        async def work() -> None:
            await loop.create_future()

        with pytest.raises(Deadlock):
            loop.run(work())
        loop.abandon()
