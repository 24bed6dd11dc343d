"""SIGHUP, from the first line of the program to its last: it asks for something, and ends nothing.

Imports next to nothing: it is there before all the rest is imported, which takes a tenth of a second.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any


class HangUps:
    """Those of this process."""

    def __init__(self) -> None:
        self._came = False
        self._told: Callable[[], None] | None = None
        self._terminals: list[int] = []

    def listen(self) -> None:
        """They end the process no more; where they are ignored (nohup), or there are none (Windows), that stays so.
        Call on the main thread."""
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            self._terminals = [number for number in range(3) if os.isatty(number)]
            signal.signal(signal.SIGHUP, self._on_signal)

    def tell(self, told: Callable[[], None]) -> None:
        """From now on ``told`` is called at each, between any two instructions of the main thread; now at once, if any
        came before."""
        self.listen()
        self._told = told
        if self._came:
            told()

    @property
    def has_terminal(self) -> bool:
        """False where the terminal that we were started in has gone."""
        return all(map(os.isatty, self._terminals))

    def _on_signal(self, *_: Any) -> None:
        self._came = True
        if self._told is not None:
            self._told()


hang_ups = HangUps()
