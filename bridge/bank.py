"""Banks: a few strips of hardware are a window over many controls, and which window is itself a control. Pure.

Here: what a bank is, its controls, its buttons. Not here: what a port does when a window comes and goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .control import Control
from .store import Change, Origin, Store

ROOT = "/bank"
_SELF = Origin("bridge", "bank")  # not who pressed: they are to be told where the window is now


class Seat(NamedTuple):
    """Where a binding stands in a bank."""

    bank: str
    """The path of the control that says which window the hardware holds."""
    window: int
    """The window in which the hardware holds it, from 1."""
    element: tuple[int, int]
    """Which part of the hardware: the same one in each window."""


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank as the configuration has it. ``strips`` are the paths that stand in each of its strips."""

    name: str
    size: int
    strips: tuple[tuple[str, ...], ...]
    peers: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The control that says which window the hardware holds."""
        return f"{ROOT}/{self.name}"

    @property
    def windows(self) -> int:
        return -(-len(self.strips) // self.size)

    def controls(self) -> Sequence[Control]:
        """The window, and the buttons that turn it: next and previous."""
        return (
            # Not above windows, but a range needs two ends.
            Control(
                path=self.path,
                kind="int",
                range=(1, max(2, self.windows)),
                limit=(1, self.windows),
                default=1,
                label=self.name,
            ),
            Control(path=f"{self.path}/next", kind="trigger"),
            Control(path=f"{self.path}/previous", kind="trigger"),
        )

    def to_wire(self) -> dict[str, Any]:
        """What a browser needs to draw a bracket around what the hardware holds."""
        return {
            "path": self.path,
            "name": self.name,
            "peers": list(self.peers),
            "size": self.size,
            "strips": [list(paths) for paths in self.strips],
        }


class BankButtons:
    """``next`` and ``previous`` of each bank, whoever fires them; ``note`` is a subscriber of the store."""

    def __init__(self, store: Store, banks: Iterable[Bank]) -> None:
        self._store = store
        self._turns = {
            f"{bank.path}/{word}": (bank.path, by) for bank in banks for word, by in (("next", 1), ("previous", -1))
        }

    def note(self, changes: Sequence[Change]) -> None:
        """A button turns the window by one, and stops at the ends."""
        for change in changes:
            if change.what == "trigger" and (turn := self._turns.get(change.entry.path)) is not None:
                entry = self._store.find(turn[0])
                if entry is not None and isinstance(entry.value, int):
                    self._store.set(entry, entry.value + turn[1], _SELF, change.time, change.answers)
