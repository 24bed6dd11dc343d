"""Whether a device is in a mode in which it should not be, told by what it sends. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from .codec import Key, Message
from .settings import Mode, Settings

STRANGE = 8
"""Messages of another mode after which it seems to be in that."""
_PLURALS = {"note": "notes", "bend": "pitch bends", "cc": "control changes"}


class ModeWatch:
    """Watches one device, from when it is connected. ``text`` is what the performer is told; "": nothing."""

    def __init__(self, settings: Settings) -> None:
        self.text = ""
        self._modes, self._vocabulary = settings.mode, settings.vocabulary
        self._strange: Counter[str] = Counter()
        self._mode: Mode | None = None  # in which it seems to be
        self._is_right = False  # it has said something that is bound

    def hear(self, keys: Sequence[Key], bound: Container[Key], *, is_known: bool) -> None:
        """It has said this; ``is_known``: somebody is bound to it."""
        if self._modes:
            self._recognise(keys, bound)
        elif is_known:
            self._is_right, self.text = True, ""

    def wonder(self, message: Message, bound: Iterable[Key]) -> None:
        """It has said what nobody is bound to. Without modes to compare: does it speak another language altogether?"""
        kind = "note" if message.kind in ("note_on", "note_off") else message.kind
        if self._modes or self._is_right or kind not in _PLURALS:
            return
        kinds = {key.kind for key in bound}
        if kinds and kind not in kinds and self._is_often(kind):
            said = _PLURALS[kind]
            self.text = f"it sends {said}, and none is bound: this looks like its DAW mode, or another preset"

    def _recognise(self, keys: Sequence[Key], bound: Container[Key]) -> None:
        """Tell a mode by what none of its parts sends; or that it has left it."""
        if any(key in self._vocabulary or key in bound for key in keys):
            if self._mode is not None and not any(map(self._mode.has, keys)):
                self.text, self._mode = "", None
                self._strange.clear()
            return
        mode = next((mode for mode in self._modes if any(map(mode.has, keys))), None)
        if mode is not None and self._is_often(mode.looks_like):
            self._mode = mode
            self.text = f"this looks like {mode.looks_like}" + (f": {mode.help}" if mode.help else "")

    def _is_often(self, what: str) -> bool:
        self._strange[what] += 1
        return self._strange[what] == STRANGE
