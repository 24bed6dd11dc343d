"""How long a test waits for what must come: so long that only a defect reaches it, however slow or busy the machine is.

A measure of time has a limit of its own beside it. Whoever waits at one place for what cannot be awaited polls with
``until``, or on a loop with ``eventually``.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SOON_S = 20.0
"""A third of what a test may take at most (pyproject.toml), so that it can say what has not come."""
LOOK_S = 0.01


def until(found: Callable[[], T], what: str = "it", timeout_s: float = SOON_S) -> T:
    """The first answer that is true, asked for again and again. AssertionError when none comes."""
    deadline = time.monotonic() + timeout_s
    while not (answer := found()):
        assert time.monotonic() < deadline, f"{what} has not come within {timeout_s:g} s: {answer!r}"
        time.sleep(LOOK_S)
    return answer


async def eventually(is_so: Callable[[], object]) -> None:
    """Return when ``is_so()``. TimeoutError when that never is."""
    async with asyncio.timeout(SOON_S):
        while not is_so():
            await asyncio.sleep(LOOK_S)
