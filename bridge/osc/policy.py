"""What a peer is sent values as: its ``types``, ready for use. Pure.

Lossless by choice, safe by default: without ``types`` only the tags ``i f s b`` go out, which every receiver takes.
What a control's kind makes of it is in ``forms``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .codec import IMPULSE, SAFE, Double, Int64, Rgba, Symbol, Values
from .settings import Types


@dataclass(frozen=True, slots=True)
class Policy:
    """``tags`` is what may be written; ``trigger`` what a trigger is sent with that was fired without arguments."""

    types: Types
    tags: frozenset[str]
    trigger: Values

    def number(self, value: float, tag: str) -> Any:
        """A number that is written with this tag: ``i``, ``h``, ``f`` or ``d``."""
        return _NUMBERS[tag](value)

    def truth(self, value: bool) -> Any:
        """On or off."""
        return value if self.types.bool == "T" else self.number(value, self.types.bool)

    def text(self, value: str) -> str:
        """A string, or a symbol."""
        return Symbol(value) if self.types.string == "S" else value

    def color(self, value: str) -> Values:
        """``#rrggbb`` or ``#rrggbbaa``, as the arguments that say it."""
        form = self.types.color
        if form == "s":
            return (value,)
        parts = bytes.fromhex(value[1:] if len(value) == 9 else value[1:] + "ff")
        if form == "r":
            return (Rgba(*parts),)
        return tuple(part / 255 for part in parts[: len(form)])

    def arguments(self, values: Iterable[Any]) -> Values:
        """Values of any kind, such as a trigger is fired with."""
        found: list[Any] = []
        for value in values:
            if value is None:
                if self.types.nil != "drop":
                    found.append(None if self.types.nil == "N" else 0)
            elif isinstance(value, bool):
                found.append(self.truth(value))
            elif isinstance(value, int):
                found.append(self.number(value, self.types.int))
            elif isinstance(value, float):
                found.append(self.number(value, self.types.float))
            elif isinstance(value, str):
                found.append(self.text(value))
            elif isinstance(value, (list, tuple)):
                inner = self.arguments(value)
                found += [inner] if self.types.vector == "array" else inner
            else:
                found.append(value)
        return tuple(found)


@lru_cache(256)
def policy_of(types: Types) -> Policy:
    """The policy of some ``types``."""
    tags: set[str] = {types.int, types.float, types.string}
    wanted = {
        "TF": types.bool == "T" or types.trigger == "T",
        "r": types.color == "r",
        "[": types.vector == "array",
        "N": types.nil == "N" or types.trigger == "N",
        "I": types.trigger == "I",
    }
    tags.update(tag for some, is_wanted in wanted.items() if is_wanted for tag in some)
    return Policy(types, SAFE | tags, _TRIGGERS[types.trigger])


_NUMBERS: dict[str, Any] = {"i": int, "h": Int64, "f": float, "d": Double}
_TRIGGERS: dict[str, Values] = {"1": (1,), "none": (), "I": (IMPULSE,), "N": (None,), "T": (True,)}
