"""Tasks with a name and an owner: begun, and ended where they were begun; a failure of their own is logged at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)

SLICE_S = 0.002
"""How long work that has many steps keeps everything else waiting."""


def begin(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Run a coroutine beside everything else, until whoever began it calls ``end``."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_report)
    return task


async def end(task: asyncio.Task[Any]) -> None:
    """Returns when it has ended, and freed what it had."""
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Run a coroutine while the block lasts."""
    task = begin(work, name)
    try:
        yield
    finally:
        await end(task)


async def in_slices(steps: Iterable[None]) -> None:
    """Do all of them, with turns of the loop between where they take long."""
    began = time.perf_counter()
    for _ in steps:
        if time.perf_counter() - began >= SLICE_S:
            await asyncio.sleep(0)
            began = time.perf_counter()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        log.error("%s has failed", task.get_name(), exc_info=exc)
