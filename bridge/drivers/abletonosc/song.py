"""The song: tempo, play, stop, metronome, beat; and what there is to say of Live as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.control import Control
from bridge.driver import OWNER, Add, Effects, Send, Set
from bridge.osc.settings import Binding
from bridge.store import Change
from bridge.surface import Group, Item

from .part import Part, bound, listen

LISTENED = ("tempo", "metronome", "is_playing", "beat")
MAX_BEAT = 1_000_000
MISSING = "return tracks and main track"
_SPANS = {"metronome": (2, 1), "about": (3, 1), "rescan": (2, 1)}


class Song(Part):
    """``root`` is what stands before the paths of its controls."""

    def __init__(self, root: str, is_shown: bool) -> None:
        super().__init__()
        self._root = root
        self._is_shown = is_shown
        self.movers = {f"{root}/play": self._play}
        self.rescan = f"{root}/rescan"
        """The trigger that has all of it read anew."""

    def connected(self, now: float) -> Effects:
        if not self._is_shown:
            return []
        return [
            *(Add(control, () if binding is None else (binding,)) for control, binding in self._controls()),
            Set(f"{self._root}/about", MISSING),
            *(listen(prop, kind="song") for prop in LISTENED),
        ]

    def groups(self) -> tuple[Group, ...]:
        """Its controls, as they stand there."""
        if not self._is_shown:
            return ()
        items = [
            Item(control.path, span=_SPANS.get(control.path.rpartition("/")[2])) for control, _ in self._controls()
        ]
        return Group("Song", tuple(items[:-2])), Group("Set", tuple(items[-2:]))

    def _controls(self) -> Iterator[tuple[Control, Binding | None]]:
        def made(name: str, binding: Binding | None, **more: Any) -> tuple[Control, Binding | None]:
            shape = {"label": name.capitalize(), **more}
            return Control(path=f"{self._root}/{name}", owner=OWNER, **shape), binding

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

        yield made("rescan", None, kind="trigger", label="Read again")
        yield made("about", None, kind="string", label="AbletonOSC does not offer", access="read", widget="label")

    def _play(self, change: Change, now: float) -> Effects:
        return [Send(f"/live/song/{'start' if change.value else 'stop'}_playing")]
