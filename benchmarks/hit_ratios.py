"""How often the memory tier has what is asked for, against other policies, and what a hit costs each.

The mean is over four traces and two sizes. A policy would be adopted that wins by more than a point at equal cost.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import median, quiet, ratio
from benchmarks.policies import POLICIES
from benchmarks.processes import Skipped
from benchmarks.table import Row
from benchmarks.traces import TRACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.policies import Key, Policy

CAPACITIES = (200, 1000)
"""One and five per cent of the keys; the default size of the tier is the second."""
SEED = 7
POINT = 0.01
COST_ROUNDS = 5
OURS, PLAIN = "S3-FIFO (ours)", "LRU"


def run() -> list[Row]:
    """Replay every trace through every policy."""
    available = {}
    for name, policy in POLICIES.items():
        try:
            policy(10)
        except ImportError:
            print(f"hit_ratios: {name} is not installed")
        else:
            available[name] = policy
    if len(available) < len(POLICIES):
        raise Skipped("cachebox, theine or moka-py is not installed: make bench installs them")
    traces = {name: _keys(make(np.random.default_rng(SEED))) for name, make in TRACES.items()}
    ratios = {
        name: {
            (trace, capacity): _hit_ratio(policy(capacity), keys)
            for trace, keys in traces.items()
            for capacity in CAPACITIES
        }
        for name, policy in available.items()
    }
    costs = _costs({name: policy(CAPACITIES[1]) for name, policy in available.items()})
    means = {name: statistics.mean(found.values()) for name, found in ratios.items()}
    best = max(means, key=lambda name: means[name])
    rows = [
        Row(
            f"Hit ratio, mean of {len(traces)} traces and {len(CAPACITIES)} sizes",
            f"{OURS} {means[OURS]:.2%}, {median(costs[OURS]) * 1e9:.0f} ns a hit",
            f"best: {best} {means[best]:.2%}, {median(costs[best]) * 1e9:.0f} ns a hit",
            means[OURS] / means[best],
            target="none better by a point at equal cost",
            met=not any(_worth_it(name, means, costs) for name in available),
        )
    ]
    for name in available:
        each = "; ".join(
            f"{trace} {' / '.join(f'{ratios[name][trace, capacity]:.1%}' for capacity in CAPACITIES)}"
            for trace in traces
        )
        rows.append(
            Row(
                f"Hit ratio, {name}",
                f"{means[name]:.2%} ({each})",
                f"{median(costs[name]) * 1e9:.0f} ns a hit; ratio: our cost to its",
                ratio(costs[OURS], costs[name]) if name != OURS else None,
                better="lower",
            )
        )
    return rows


def _worth_it(name: str, means: dict[str, float], costs: dict[str, list[float]]) -> bool:
    return means[name] > means[OURS] + POINT and ratio(costs[name], costs[OURS]) <= 1.1


def _keys(trace: np.ndarray) -> list[Key]:
    """Return keys as the memory tier has them."""
    names = {number: (f"ohlc:T{number}:D:1Y:2026-02-04", None, False) for number in np.unique(trace).tolist()}
    return [names[number] for number in trace.tolist()]


def _hit_ratio(policy: Policy, keys: Sequence[Key]) -> float:
    hits = 0
    for key in keys:
        if policy.get(key) is not None:
            hits += 1
        else:
            policy.put(key)
    return hits / len(keys)


def _costs(policies: dict[str, Policy]) -> dict[str, list[float]]:
    """Return seconds for a hit, round by round: the same hundred keys, over and over."""
    keys = _keys(np.arange(100))
    for policy in policies.values():
        for _ in range(3):
            for key in keys:
                if policy.get(key) is None:
                    policy.put(key)
    costs: dict[str, list[float]] = {name: [] for name in policies}
    for _ in range(COST_ROUNDS):
        for name, policy in policies.items():
            get = policy.get
            costs[name].append(quiet(lambda get=get: [get(key) for key in keys]) / len(keys))  # type: ignore[misc]
    return costs
