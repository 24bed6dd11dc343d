"""How much of something dear may be asked for in a short time. Pure."""

from __future__ import annotations


class Allowance:
    """``most`` at once, and ``per_s`` after that. Full at the beginning."""

    def __init__(self, most: float, per_s: float) -> None:
        self._most = most
        self._per_s = per_s
        self._left = most
        self._at = 0.0

    def has(self, amount: float, now: float) -> bool:
        """Whether so much is left. ``now``: monotonic s."""
        self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        return amount <= self._left

    def take(self, amount: float, now: float) -> bool:
        """Take so much; False, and nothing taken, where less is left."""
        if not self.has(amount, now):
            return False
        self._left -= amount
        return True
