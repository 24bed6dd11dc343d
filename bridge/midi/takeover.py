"""Soft takeover: what a fader without motor does to a control that stands elsewhere. Pure.

Positions are 0…1 along the hardware's travel. A fader is *caught* while it and its control stand together.
"""

from __future__ import annotations

from typing import Literal

TOLERANCE = 2 / 127
"""How near is together: two steps of a 7-bit fader."""


class SoftTakeover:
    """One fader or knob. Loose at first: where it stands is not known before it moves."""

    def __init__(self, mode: Literal["pickup", "scale"], tolerance: float = TOLERANCE) -> None:
        self.hardware: float | None = None
        """Where it was last seen; None: nobody knows."""
        self.is_caught = False
        self._mode = mode
        self._tolerance = tolerance

    def move(self, to: float, control: float) -> float | None:
        """The hardware is moved; ``control`` is where the control stands. Returns where that goes now; None: it stays.

        ``pickup``: it stays until the hardware comes near, or passes it. ``scale``: it moves the same way by the same
        part of the travel that is left, so that both reach the end together.
        """
        was, self.hardware = self.hardware, to
        if not self.is_caught:
            is_passed = was is not None and (was - control) * (to - control) <= 0
            self.is_caught = is_passed or abs(to - control) <= self._tolerance
        if self.is_caught:
            return to
        if self._mode == "pickup" or was is None or to == was:
            return None
        if to > was:
            goes = control + (to - was) * (1 - control) / (1 - was)
        else:
            goes = control - (was - to) * control / was
        self.is_caught = abs(goes - to) <= self._tolerance
        return to if self.is_caught else goes

    def moved_elsewhere(self, control: float) -> None:
        """Somebody else has moved the control."""
        self.is_caught = self.hardware is not None and abs(control - self.hardware) <= self._tolerance

    def lost(self) -> None:
        """The device has gone, and may come back moved."""
        self.hardware, self.is_caught = None, False
