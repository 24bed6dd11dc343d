"""How single keys of the MIDI tables are read, and what the schema says of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from .midicodec import TOP_7, TOP_14
from .tables import check_name

MAX_PORT_NAME = 120
NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


def read_name(text: str) -> str:
    """A peer's name, as addresses and headers can have it."""
    return check_name(text, "midi")


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
