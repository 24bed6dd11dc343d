"""What a device is shown of a control: numbers of a message, an encoder's ring, LEDs, characters of a display. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from bridge import law
from bridge.control import Control
from bridge.errors import BadControl
from bridge.store import Entry

from .codec import TOP_7
from .settings import Binding, Ring, Rows

WIDTH = 7
"""Characters of one strip of a Mackie Control's display."""
_RINGS: dict[Ring, tuple[int, int]] = {"dot": (0x00, 11), "pan": (0x10, 11), "bar": (0x20, 11), "spread": (0x30, 6)}
"""What stands before the number of the last LED, and how many there are."""
_PLAIN = str.maketrans({law.MINUS: "-", "∞": "oo", "–": "-", "—": "-", "’": "'", "ß": "ss", "µ": "u", "°": "deg"})
_VOWELS = "aeiou"


class Scale:
    """The control's unit ↔ the wire's, through the position of the widget. Raises BadControl for a wrong curve."""

    def __init__(
        self, control: Control, low: int, high: int, curve: law.Curve, is_turned: bool, binding: Binding
    ) -> None:
        if curve == "log" and low <= 0:
            raise BadControl("curve", f"a log curve needs a range above 0, not [{low}, {high}]")
        if curve == "db":
            raise BadControl("curve", "a message has no dB: linear or log")
        self._control = control
        self._low, self._high, self._curve = low, high, curve
        self._is_turned = is_turned
        is_centred = bool(control.bipolar) and binding.range is None and low == 0 and high % 2 == 1
        # MIDI 1.0: 64 and 8192 are the centre, though no whole number is in the middle of 0…127.
        self._centre = (high + 1) // 2 if is_centred else None
        self._rest_wire = self.to_wire(control.rest) if control.momentary else None

    def to_wire(self, value: Any) -> int:
        position = position_of(self._control, value)
        if self._is_turned:
            position = 1 - position
        if self._centre is not None:
            part = position * 2
            wire = part * self._centre if part <= 1 else self._centre + (part - 1) * (self._high - self._centre)
        else:
            wire = law.value_at(position, self._curve, self._low, self._high)
        return min(max(int(wire + 0.5), self._low), self._high)

    def raw(self, wire: float) -> Any:
        control = self._control
        if wire == self._rest_wire:
            return control.rest  # not quite at rest would be stuck
        if self._centre is not None:
            over = wire - self._centre
            position = wire / self._centre / 2 if over <= 0 else 0.5 + over / (self._high - self._centre) / 2
        else:
            position = law.position_of(wire, self._curve, self._low, self._high)
        if self._is_turned:
            position = 1 - position
        if control.kind == "choice":
            return control.choices[int(position * (len(control.choices) - 1) + 0.5)]
        return control.value_at(position)


def position_of(control: Control, value: Any) -> float:
    """Where a number or a choice stands along the travel, 0…1."""
    if control.kind == "choice":
        return control.choices.index(value) / max(len(control.choices) - 1, 1)
    return control.position(value)


def ring(control: Control, mode: Ring) -> Callable[[Any], int]:
    """What an encoder's ring of a Mackie Control is sent for a value.

    "auto": from the middle for a control around zero, a dot for a choice, a bar for everything else.
    """
    if mode == "auto":
        mode = "pan" if control.bipolar else "dot" if control.kind == "choice" else "bar"
    base, count = _RINGS[mode]
    return lambda value: base + 1 + min(int(position_of(control, value) * (count - 1) + 0.5), count - 1)


def steps_of(control: Control) -> Sequence[Any]:
    """The values of a choice, or of an int, in order; empty where there are too many for an LED."""
    if control.kind == "choice":
        return control.choices
    count = round((control.high - control.low) / (control.step or 1)) + 1
    return [int(control.low + (control.step or 1) * index) for index in range(count)] if count <= TOP_7 else ()


def display(binding: Binding) -> Callable[[Entry], bytes]:
    """What a row of a display shows of a control; always as many characters."""
    assert binding.text is not None
    width, row = binding.width or WIDTH, binding.text
    return lambda entry: _row(entry, row, width)


def _row(entry: Entry, row: Rows, width: int) -> bytes:
    control = entry.control
    if row == "value":
        text = entry.marks.get("text")  # the peer's own words for it, as on the page
        if isinstance(text, str):
            return _fitted(text, width)
        if isinstance(entry.value, (bool, str)) or entry.value is None:
            return _fitted(control.text(entry.value), width)
        text, unit = _plain(control.text(entry.value)), _plain(control.unit)
        forms = (f"{text} {unit}".rstrip(), f"{text}{unit}", text, text.split(".")[0])
        if isinstance(entry.value, tuple):
            return _fitted(text, width)
        return _fitted(next((form for form in forms if len(form) <= width), ">" * width), width)
    return _fitted((control.group if row == "group" else None) or control.label or "", width)


def _fitted(text: str, width: int) -> bytes:
    """ASCII, filled with spaces; what is too long loses its spaces, then vowels from its end, then its end."""
    text = _plain(text)
    if len(text) > width:
        text = text.replace(" ", "")
    for index in range(len(text) - 1, 0, -1):
        if len(text) > width and text[index] in _VOWELS:
            text = text[:index] + text[index + 1 :]
    return text[:width].ljust(width).encode()


def _plain(text: str) -> str:
    """Without accents and what else a display has no letters for."""
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return "".join(letter for letter in plain if " " <= letter <= "~")
