"""Timers as the running loop has them, or somebody else's clock: a simulation has its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What ``call_later`` gives back."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


def call_later(delay_s: float, call: Callable[[], None]) -> Timer:
    """The running loop's."""
    return asyncio.get_running_loop().call_later(delay_s, call)
