"""What a control looks like on a desk: its name and its colour there, which the page shows. Pure.

A ``Look`` is one address of a peer that says one of the two; ``incoming`` hears it and describes the control anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from bridge.control import MAX_LABEL, Control
from bridge.errors import BadValue
from bridge.store import Entry

from .codec import Values, encode_message
from .forms import joined, plain, read_color
from .policy import policy_of
from .settings import Arguments, Binding, Settings

What = Literal["label", "color"]

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Where a peer says what a control is called, or its colour.

    ``own`` is the control as it is without the peer: a name or a colour that the peer has not given stays as it is
    there.
    """

    entry: Entry
    own: Control
    what: What
    heard_at: str
    before: Values
    """The binding's fixed arguments: they must stand before what is said."""
    question: bytes | None
    """The message that asks for it; None where the peer cannot be asked."""
    colors: tuple[str, ...] = ()

    def described(self, values: Values) -> Control:
        """The control as the peer shows it. ``values`` are the arguments after ``before``. Raises BadValue."""
        control = self.entry.control
        if self.what == "label":
            name = _label(values)
            # A channel strip is a group: it is called what the desk calls its channel.
            return replace(control, label=name or self.own.label, group=(self.own.group and name) or self.own.group)
        return replace(control, color=self._color(values) or self.own.color)

    def _color(self, values: Values) -> str:
        if len(values) == 1 and isinstance(values[0], (int, float)) and self.colors:
            number = values[0]
            if number != number or not 0 <= number < len(self.colors):
                raise BadValue(f"colour {number} is none of {len(self.colors)}")
            return self.colors[int(number)]
        color = _COLOR.coerce(read_color(values))
        return str(color)


_COLOR = Control(path="/color", kind="color")


def compile_looks(entry: Entry, own: Control, binding: Binding, settings: Settings) -> Iterator[Look]:
    """What a binding says of looks."""
    before = (binding.args or Arguments()).before
    said: tuple[tuple[What, str | None], ...] = (("label", binding.label), ("color", binding.color))
    for what, heard_at in said:
        if heard_at is not None:
            asks = settings.query == "address"
            question = encode_message(settings.prefix + heard_at, before, policy_of(settings.types).tags)
            yield Look(entry, own, what, heard_at, before, question if asks else None, settings.colors)


def is_only_look(one: Control, other: Control) -> bool:
    """True if two descriptions differ in nothing but what is shown beside the value."""
    return replace(one, label=other.label, color=other.color, group=other.group) == other


def _label(values: Values) -> str:
    if not values or not all(isinstance(plain(value), (str, int, float)) for value in values):
        raise BadValue("expected a name")
    return _CONTROL_CHARACTER.sub(" ", joined(values)).strip()[:MAX_LABEL]
