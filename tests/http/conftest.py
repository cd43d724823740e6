"""The real app over the real walk, with a generated market behind it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

# A package called "http" would stand in the standard library's way, so these modules are found by folder.
sys.path.append(str(Path(__file__).parent))

from http_world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest_asyncio.fixture
async def make_world() -> AsyncIterator[Callable[..., World]]:
    """Start servers with the options given, and stop them all after the test."""
    started: list[World] = []

    async def make(**options: object) -> World:
        # Building reads the pages from disk: a server does that before its event loop runs.
        world = await asyncio.to_thread(World, **options)
        await world.driver.start()
        started.append(world)
        return world

    yield make
    for world in started:
        await world.driver.stop()


@pytest_asyncio.fixture
async def world(make_world: Callable[..., World]) -> World:
    return await make_world()
