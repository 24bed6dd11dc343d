"""What a hand has just moved: the binding that the messages of one device mean, for one control. Pure.

A button is certain with its first press. A fader or an encoder is only known by several messages: seven bits or
fourteen, absolute or relative, with or without a note that says that it is touched. Noise (a pot that trembles,
aftertouch of a pad, a clock) is no evidence. Who is armed, and what becomes of it: ``learning``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bridge.config.tomltext import inline
from bridge.control import Control

from .bind import check_binding
from .codec import Coding, Key, Message
from .settings import Binding, Settings

MAX_TRAILS = 256
"""Messages of which it is known how they moved; all are forgotten when there are more."""
MAX_VALUES = 128
FEW = 3
"""Messages that make a move; fewer are an accident."""
SPAN = 4
"""A pot trembles by less than this, in steps of seven bits."""
SPAN_14 = 128
LONELY_LSB = 8
"""So many messages of a CC 32–63, which may be the lower half of a 14-bit CC whose upper half has not moved yet."""
_RIGHT, _LEFT = range(1, 16), range(113, 128)  # steps of an encoder: 1 or, when it is turned fast, more
_ABOVE, _BELOW = range(65, 80), range(49, 64)
_SELECTORS = range(98, 102)
_DATA = (6, 38, 96, 97)


@dataclass(frozen=True, slots=True)
class Guess:
    """What has been moved. ``table`` is the binding, as it is written, and ``binding`` what that means; both None where
    it is not certain yet, or cannot be. ``is_refused``: it does not suit the control, and ``text`` says why."""

    text: str
    table: Mapping[str, Any] | None = None
    binding: Binding | None = None
    is_refused: bool = False


class _Trail:
    """How the values of one message came one after another."""

    def __init__(self) -> None:
        self.count = 0
        self.repeats = 0
        """Values that were the same as the one before: an encoder says each step so, a fader never does."""
        self.values: list[int] = []
        """Different ones, in the order in which they came first; at most MAX_VALUES."""
        self._last = -1

    def add(self, value: int) -> None:
        self.count += 1
        self.repeats += value == self._last
        self._last = value
        if value not in self.values and len(self.values) < MAX_VALUES:
            self.values.append(value)

    @property
    def span(self) -> int:
        return max(self.values) - min(self.values)

    def says(self, steps: range) -> bool:
        return any(value in steps for value in self.values)

    @property
    def is_position(self) -> bool:
        """True if no encoder would say this."""
        return any(not any(value in steps for steps in (_RIGHT, _LEFT, _ABOVE, _BELOW)) for value in self.values)


class Ear:
    """Hears one device for one control, from when that is armed. ``component`` is which number of a vector it is."""

    def __init__(self, control: Control, component: int | None, settings: Settings) -> None:
        self._control = control
        self._component = component
        self._settings = settings
        self._is_button = control.kind in ("bool", "trigger")
        self._may_turn = not (control.momentary or control.kind == "meter")
        self._trails: dict[Key, _Trail] = {}
        self.down: dict[Key, int] = {}
        """Notes that are down, and how hard."""
        self._parts = {
            binding.key(settings.channel): (name, binding.relative is not None)
            for name, bindings in settings.parts.items()
            for binding in bindings
            if binding.direction != "out"
        }

    def hear(self, message: Message, parameter: Key | None) -> Guess | None:
        """Take one message; ``parameter`` is the NRPN or RPN that data entry means on its channel now. None where it
        says nothing new."""
        kind, channel, number, value, _ = message
        if kind in ("note_on", "note_off"):
            return self._note(Key("note", channel, number), value if kind == "note_on" else 0)
        if kind == "cc":
            if number in _SELECTORS:
                return None
            if number in _DATA and parameter is not None:
                return self._parameter(parameter, number, value)
            return self._switch(channel, number, value) if self._is_button else self._turn(channel, number, value)
        if kind == "bend":
            return self._wide(Key("bend", channel), value)
        if kind == "pressure":
            # Of a pad that is held it says how hard, and comes with the note.
            return None if self.down else self._wide(Key("pressure", channel), value, SPAN)
        if kind == "program":
            return self._found(Key("program", channel), {"program": value if self._control.kind == "trigger" else True})
        return None

    def _note(self, key: Key, velocity: int) -> Guess | None:
        if velocity:
            if self._is_button:
                return self._found(key, {"note": key.number})
            if len(self.down) < 16:
                self.down[key] = velocity
            return Guess(f"{self._settings.name}: {key}: a pad, or a finger on a fader? Let go, or move it.")
        was = self.down.pop(key, 0)
        if was in (0, 127):  # that is what a touched fader says: a hand would have to hit a pad very hard
            return None
        return self._found(key, {"note": key.number})

    def _switch(self, channel: int, number: int, value: int) -> Guess | None:
        return self._found(Key("cc", channel, number), {"cc": number}) if value >= 64 else None

    def _parameter(self, key: Key, number: int, value: int) -> Guess | None:
        trail = self._trail(key)
        trail.add(number << 7 | value)  # halves and steps apart, so that each move of any of them is one
        if trail.count < FEW or (len(trail.values) < FEW and number not in (96, 97)):
            return self._go_on(key)
        return self._found(key, {key.kind: key.number})

    def _wide(self, key: Key, value: int, span: int = SPAN_14) -> Guess | None:
        trail = self._trail(key)
        trail.add(value)
        if trail.count < FEW or trail.span < span:
            return self._go_on(key)
        return self._found(key, {key.kind: True}, is_fader=True)

    def _turn(self, channel: int, number: int, value: int) -> Guess | None:
        key = Key("cc", channel, number)
        trail = self._trail(key)
        trail.add(value)
        if key in self._parts:  # whether it is a fader or an encoder is known
            is_turned = self._parts[key][1]
            is_move = trail.count >= FEW and (is_turned or trail.span >= SPAN)
            return self._found(key, {"cc": number}) if is_move else self._go_on(key)
        if number < 64:
            upper = self._trails.get(Key("cc", channel, number & 31))
            lower = self._trails.get(Key("cc", channel, number & 31 | 32))
            if upper is not None and lower is not None:
                wide = Key("cc14", channel, number & 31)
                if upper.count + lower.count < 2 * FEW or (upper.span < 1 and lower.span < SPAN_14 // 8):
                    return self._go_on(wide)
                return self._found(wide, {"cc14": number & 31}, is_fader=True)
        if trail.is_position:
            needed = LONELY_LSB if 32 <= number < 64 else FEW
            if trail.count < needed or trail.span < SPAN:
                return self._go_on(key)
            return self._found(key, {"cc": number}, is_fader=True)
        if trail.repeats < FEW - 1 or not self._may_turn:
            return self._go_on(key)
        coding = _coding(trail)
        if coding is None:
            return Guess(f"{self._settings.name}: {key}: an encoder. Now turn it to the left.")
        return self._found(key, {"cc": number, "relative": coding})

    def _trail(self, key: Key) -> _Trail:
        if key not in self._trails and len(self._trails) >= MAX_TRAILS:
            self._trails.clear()
        return self._trails.setdefault(key, _Trail())

    def _go_on(self, key: Key) -> Guess:
        return Guess(f"{self._settings.name}: {key}: go on moving it.")

    def _found(self, key: Key, table: dict[str, Any], is_fader: bool = False) -> Guess:
        """It is this, if that suits the control; a fader with the note by which it is touched."""
        settings, control = self._settings, self._control
        if key.channel != settings.channel:
            table["channel"] = key.channel
        if self._component is not None:
            table["component"] = self._component
        parts = (
            [{name: value for name, value in table.items() if name == "component"} | {"part": self._parts[key][0]}]
            if key in self._parts
            else []
        )
        touches = [note.number for note in self.down if note.channel == settings.channel] if is_fader else []
        tables = [*parts, *({**table, "touch": number} for number in touches[-1:]), table]
        why = ""
        for one in tables:
            try:
                binding = Binding.model_validate(one)
            except ValidationError as exc:
                why = exc.errors()[0]["msg"]
                continue
            problems = list(check_binding(settings, binding, control))
            if not problems:
                return Guess(f"{settings.name}: {inline(one)}", one, binding)
            why = problems[0][1]
        self._trails.clear()
        return Guess(f"{settings.name}: {key}: {why}", is_refused=True)


def _coding(trail: _Trail) -> Coding | None:
    """How an encoder says left and right; None where it has not been turned to the left, and that would tell."""
    right, left, above, below = (trail.says(steps) for steps in (_RIGHT, _LEFT, _ABOVE, _BELOW))
    if left:
        return "twos"
    if below:
        return "offset"
    if right and above:
        return "sign" if trail.values[0] in _RIGHT else "sign2"
    return None
