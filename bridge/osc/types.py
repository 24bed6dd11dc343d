"""What an OSC packet holds: messages, bundles, and arguments of every type of OSC 1.0 and 1.1. Pure.

Types that Python has are Python's: i int, f float, s str, b bytes, T/F bool, N None, [ ] tuple.
The others have a small class each, so that what was read can be written again. Not here: bytes
(``decoding``, ``encoding``); what a message means (``bind``).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

MAX_PACKET = 65_535  # bytes; UDP cannot carry more
MAX_DEPTH = 16  # bundles in bundles, arrays in arrays
MAX_ELEMENTS = 4_096  # messages and bundles in one packet, all levels
MAX_ARGUMENTS = 4_096  # in one message

SAFE = frozenset("ifsb")
"""Tags that every receiver takes. Pd drops an argument of any other, liblo drops whole messages for r and [ ]."""
ALL = frozenset("ifsbhtdScrmTFNI[")

BUNDLE = b"#bundle\0"
"""How a bundle begins."""
_NTP_EPOCH_S = 2_208_988_800  # 1900 → 1970


class Symbol(str):
    """S: a text that is a name, in languages that tell the two apart."""

    __slots__ = ()


class Char(int):
    """c: a character's code in 32 bits, signed as it stands on the wire."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The character; "" where Unicode has none."""
        return chr(self) if 0 < self < 0xD800 or 0xDFFF < self < 0x110000 else ""


class Int64(int):
    """h"""

    __slots__ = ()


class Double(float):
    """d"""

    __slots__ = ()


class TimeTag(int):
    """t: 64-bit NTP time; the high half is seconds since 1900, 1 means now."""

    __slots__ = ()

    @property
    def unix(self) -> float:
        """Seconds since 1970."""
        return self / 2**32 - _NTP_EPOCH_S

    @classmethod
    def from_unix(cls, seconds: float) -> TimeTag:
        """The tag of a time in seconds since 1970."""
        return cls(int((seconds + _NTP_EPOCH_S) * 2**32))


IMMEDIATELY = TimeTag(1)


class Rgba(NamedTuple):
    """r: a colour, each part 0–255."""

    r: int
    g: int
    b: int
    a: int


class Midi(NamedTuple):
    """m: a MIDI message and its port, each part 0–255."""

    port: int
    status: int
    data1: int
    data2: int


class Impulse(enum.Enum):
    """I: a bang (OSC 1.0 called it Infinitum)."""

    IMPULSE = "I"


IMPULSE = Impulse.IMPULSE

Argument: TypeAlias = Any
"""int, float, str, bytes, bool, None, a class of this module, or a tuple of these."""
Values: TypeAlias = tuple[Argument, ...]
"""A message's arguments, or those of them that are not fixed."""


class Message(NamedTuple):
    """``tagged`` is False for a message that came without a type tag string; it has no arguments then."""

    address: str
    args: tuple[Argument, ...] = ()
    tagged: bool = True


class Bundle(NamedTuple):
    """Messages and bundles that belong together. An inner time tag earlier than the outer one is let through."""

    timetag: TimeTag
    elements: tuple[Message | Bundle, ...] = ()


Packet: TypeAlias = Message | Bundle


def messages(bundle: Bundle) -> Iterator[tuple[TimeTag, Message]]:
    """Every message in order, with the time tag of the bundle that it stands in."""
    for element in bundle.elements:
        if isinstance(element, Bundle):
            yield from messages(element)
        else:
            yield bundle.timetag, element
