"""The song: tempo, play, stop, metronome, beat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.control import Control
from bridge.driver import OWNER, Add, Effects, Send
from bridge.oscsettings import Binding
from bridge.store import Change

from .part import Part, bound, listen

LISTENED = ("tempo", "metronome", "is_playing", "beat")
MAX_BEAT = 1_000_000


class Song(Part):
    """``root`` is what stands before the paths of its controls."""

    def __init__(self, root: str, is_shown: bool) -> None:
        super().__init__()
        self._root = root
        self._is_shown = is_shown
        self.movers = {f"{root}/play": self._play}

    def connected(self, now: float) -> Effects:
        if not self._is_shown:
            return []
        return [
            *(Add(control, (binding,)) for control, binding in self._controls()),
            *(listen(prop, kind="song") for prop in LISTENED),
        ]

    def items(self) -> list[str]:
        """The paths of its controls, in the order in which they stand there."""
        return [control.path for control, _ in self._controls()] if self._is_shown else []

    def _controls(self) -> Iterator[tuple[Control, Binding]]:
        def made(name: str, binding: Binding, **more: Any) -> tuple[Control, Binding]:
            return Control(path=f"{self._root}/{name}", owner=OWNER, label=name.capitalize(), **more), binding

        yield made(
            "tempo", bound("tempo", kind="song"), range=(20.0, 999.0), decimals=2, unit="BPM", widget="number",
            default=120.0,
        )  # fmt: skip
        yield made("play", bound("is_playing", kind="song", direction="in"), kind="bool")
        yield made("stop", Binding(address="/live/song/stop_playing", direction="out"), kind="trigger")
        yield made("metronome", bound("metronome", kind="song"), kind="bool")
        yield made(
            "beat", bound("beat", kind="song", direction="in"), kind="int", range=(0, MAX_BEAT), access="read",
            widget="label",
        )  # fmt: skip

    def _play(self, change: Change, now: float) -> Effects:
        return [Send(f"/live/song/{'start' if change.value else 'stop'}_playing")]
