"""How single keys of the MIDI tables are read, and what the schema says of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator, WithJsonSchema

from bridge.config.base import check_name

from .codec import TOP_7, TOP_14, Key, decode

MAX_PORT_NAME = 120
MAX_SYSEX_HEAD = 64
_SENT = re.compile(
    r"(?:(?P<kind>note|cc)(?: (?P<low>\d{1,3})(?:-(?P<high>\d{1,3}))?)?|(?P<other>bend|program|pressure))"
    r"(?: on channel (?P<first>\d{1,2})(?:-(?P<last>\d{1,2}))?)?"
)


def read_name(text: str) -> str:
    """A peer's name, as addresses and headers can have it."""
    return check_name(text, "it stands in addresses and in [control.midi.NAME]")


def read_port_name(text: str) -> str:
    """A port's name, or a part of one."""
    if not 0 < len(text) <= MAX_PORT_NAME or not text.isprintable():
        raise ValueError(f"must be 1–{MAX_PORT_NAME} characters of a port's name: `stagebridge midi` lists them")
    return text


def read_port_or_none(raw: Any) -> Any:
    """That, or false for none."""
    if raw is False:
        return raw
    if not isinstance(raw, str):
        raise ValueError("must be a part of a port's name, or false for none")
    return read_port_name(raw)


def _number(low: int, high: int) -> Callable[[Any], int]:
    def read(raw: Any) -> int:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,5}", raw):
            raw = int(raw)  # placeholders make texts: cc = "{n0}"
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(f"must be {low}–{high}")
        return raw

    return read


def _schema(low: int, high: int) -> Any:
    whole = {"type": "integer", "minimum": low, "maximum": high}
    return WithJsonSchema({"anyOf": [whole, {"type": "string", "pattern": "\\{[A-Za-z_]|^[0-9]+$"}]})


Number7 = Annotated[int, PlainValidator(_number(0, TOP_7)), _schema(0, TOP_7)]
Number14 = Annotated[int, PlainValidator(_number(0, TOP_14 - 1)), _schema(0, TOP_14 - 1)]
NumberWide = Annotated[int, PlainValidator(_number(0, 31)), _schema(0, 31)]
"""The MSB of a 14-bit CC; its LSB is 32 above (MIDI 1.0, "Control Change")."""
Channel = Annotated[int, PlainValidator(_number(1, 16)), _schema(1, 16)]


def read_program(raw: Any) -> Any:
    """true, or one program's number."""
    return raw if raw is True else _number(0, TOP_7)(raw)


def read_yes(raw: Any) -> Any:
    """true alone."""
    if raw is not True:
        raise ValueError("must be true")
    return raw


def read_range(raw: Any) -> tuple[int, int]:
    """Two different whole numbers, in either order; of a placeholder too."""
    if not isinstance(raw, (list, tuple)) or len(raw) != 2:
        raise ValueError("must be two numbers, [low, high]")
    low, high = (_number(0, TOP_14)(one) for one in raw)
    if low == high:
        raise ValueError("both ends are the same")
    return low, high


def read_sysex(raw: Any) -> bytes:
    """Bytes of 7 bits in hex."""
    try:
        data = raw if isinstance(raw, bytes) else bytes.fromhex(raw)
    except (TypeError, ValueError):
        data = b""
    if not 0 < len(data) <= MAX_SYSEX_HEAD or max(data) > TOP_7:
        raise ValueError(f"must be 1–{MAX_SYSEX_HEAD} bytes in hex, each 00–7f, without F0 and F7")
    return data


class Sent(NamedTuple):
    """Messages that a device may send: "cc 16-23 on channel 1"."""

    kind: str
    low: int
    high: int
    first: int
    last: int

    def has(self, key: Key) -> bool:
        """True if this is one of them."""
        return key.kind == self.kind and self.low <= key.number <= self.high and self.first <= key.channel <= self.last


def read_sent(raw: Any) -> Sent:
    """A kind of message, its numbers and channels."""
    found = _SENT.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        raise ValueError('must be messages: "bend", "cc 16-23", "note on channel 1"')
    low = int(found["low"] or 0)
    high = int(found["high"] or found["low"] or TOP_7)
    first = int(found["first"] or 1)
    last = int(found["last"] or found["first"] or 16)
    if not low <= high <= TOP_7 or not 1 <= first <= last <= 16:
        raise ValueError("numbers are 0–127, channels 1–16, the lower one first")
    return Sent(found["kind"] or found["other"], low, high, first, last)


def read_message(raw: Any) -> bytes:
    """One whole MIDI message in hex."""
    try:
        data = raw if isinstance(raw, bytes) else bytes.fromhex(raw)
        decode(data)
    except (TypeError, ValueError):
        raise ValueError('must be one message in hex, such as "b0 07 7f"') from None
    return data
