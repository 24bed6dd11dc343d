"""How fast an encoder is turned, and how far that makes it go. Pure."""

from __future__ import annotations

import math

WINDOW_S = 0.1
"""What the speed is an average of: a sound system hands over what came in 20 ms at once."""
SLOW, FAST = 20.0, 80.0
"""Steps a second: below, each is one step; above, each counts as much as it may. A careful hand makes 10, a flick of an
encoder with 24 steps a turn 80."""


class Spin:
    """One encoder. ``most`` is how far a step goes at most, in steps."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._speed = 0.0
        self._at = 0.0
        self._way = 0.0

    def turn(self, ticks: int, now: float) -> float:
        """It is turned by so many steps; how many they are worth. The other way begins anew."""
        if ticks * self._way < 0:
            self._speed = 0.0
        self._speed = self._speed * math.exp((self._at - now) / WINDOW_S) + abs(ticks) / WINDOW_S
        self._way, self._at = math.copysign(1.0, ticks), now
        part = min(max((self._speed - SLOW) / (FAST - SLOW), 0.0), 1.0)
        return ticks * (1 + (self._most - 1) * part)
