"""What Live has said of its clip slots: what is in them, which of them play, wait for their turn, or record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from .tracks import Track

PLAYING, FIRED = "playing_slot_index", "fired_slot_index"
EMPTY = ("empty", "", None)

Face = tuple[str, str, str | None]
"""What a pad shows: state, name, colour."""


class Clips:
    """Slots count from 0; of who plays all tracks are known, of what is in the slots only those that are watched."""

    def __init__(self) -> None:
        self._names: dict[Track, Sequence[str | None]] = {}  # None is nothing
        self._colors: dict[Track, Sequence[str | None]] = {}
        self._active: dict[str, dict[Track, int]] = {PLAYING: {}, FIRED: {}}
        self._recording: dict[Track, int] = {}
        self._watched: Collection[Track] = ()

    def forget(self) -> None:
        """Another set."""
        self.rescanned(())

    def rescanned(self, there: Collection[Track]) -> None:
        """Only these tracks are there, perhaps elsewhere: what was in a slot may have been another track's."""
        self._names.clear()
        self._colors.clear()
        for slots in (*self._active.values(), self._recording):
            for track in [track for track in slots if track not in there]:
                del slots[track]

    def watch(self, tracks: Collection[Track]) -> None:
        """What is in the slots of these is kept."""
        self._watched = tracks
        for known in (self._names, self._colors):
            for track in [track for track in known if track not in tracks]:
                del known[track]

    def is_watched(self, track: Track | None) -> bool:
        return track in self._watched

    def fill(self, track: Track, what: Literal["name", "color"], values: Sequence[str | None]) -> None:
        """What is in the slots of a track that is watched."""
        (self._names if what == "name" else self._colors)[track] = values

    def activate(self, what: str, track: Track, slot: int) -> bool:
        """The slot that plays, or waits (-1: none). True if another one plays than before."""
        is_other = self._active[what].get(track) != slot
        self._active[what][track] = slot
        if what != PLAYING or not is_other:
            return False
        self._recording.pop(track, None)
        return True

    def record(self, track: Track, slot: int, is_recording: bool) -> None:
        """Whether a slot records, if it is the one that plays."""
        if is_recording and self._active[PLAYING].get(track) == slot:
            self._recording[track] = slot
        elif self._recording.get(track) == slot:
            del self._recording[track]

    def playing(self, track: Track) -> int | None:
        """The slot that plays, where there is a clip in it."""
        slot = self._active[PLAYING].get(track, -1)
        return slot if _at(self._names.get(track, ()), slot) is not None else None

    def face(self, track: Track, slot: int) -> Face:
        name, hue = _at(self._names.get(track, ()), slot), _at(self._colors.get(track, ()), slot)
        if self._active[FIRED].get(track) == slot:
            return "queued", name or "", hue
        if self._active[PLAYING].get(track) == slot:
            return "recording" if self._recording.get(track) == slot else "playing", name or "", hue
        return EMPTY if name is None else ("loaded", name, hue)


def _at(values: Sequence[str | None], slot: int) -> str | None:
    return values[slot] if 0 <= slot < len(values) else None
