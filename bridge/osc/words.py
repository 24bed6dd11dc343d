"""OSC arguments ↔ what people write and read: words of a shell, values of JSON, type tags. Pure.

Not here: bytes (``codec``), what a control makes of arguments (``bind``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from bridge.errors import BadValue

from .types import IMMEDIATELY, IMPULSE, Char, Double, Impulse, Int64, Midi, Rgba, Symbol, TimeTag

MAX_NESTED = 16
_SAFE_WHOLE = 2**53
_WHOLE = re.compile(r"[-+]?[0-9]{1,20}")
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)

_TAGS: dict[type, str] = {
    int: "i",
    float: "f",
    str: "s",
    bytes: "b",
    type(None): "N",
    Impulse: "I",
    Int64: "h",
    Double: "d",
    Symbol: "S",
    Char: "c",
    TimeTag: "t",
    Rgba: "r",
    Midi: "m",
}


def tags_of(args: Sequence[Any]) -> Iterator[str]:
    """The type tag of each argument; an array's in brackets."""
    for value in args:
        kind = type(value)
        if kind is bool:
            yield "T" if value else "F"
        elif kind is tuple or kind is list:
            yield "["
            yield from tags_of(value)
            yield "]"
        else:
            yield _TAGS[kind]


def plain_words(args: Sequence[Any], max_args: int, max_text: int) -> list[Any]:
    """Arguments as JSON can carry them: so many, arrays' members too; texts and blobs cut; floats with their 7 digits.

    What an array has more stands there as "…".
    """
    return _plain_list(args, [max_args], max_text)


def _plain_list(args: Sequence[Any], room: list[int], max_text: int) -> list[Any]:
    found: list[Any] = []
    for value in args:
        if room[0] <= 0:
            found.append("…")
            break
        room[0] -= 1
        is_array = type(value) is tuple or type(value) is list
        found.append(_plain_list(value, room, max_text) if is_array else _plain(value, max_text))
    return found


def _plain(value: Any, max_text: int) -> Any:
    kind = type(value)
    if kind is float:
        return float(f"{value:.7g}") if math.isfinite(value) else str(value)
    if kind is Double:
        return float(value) if math.isfinite(value) else str(float(value))
    if kind is Midi or kind is bytes:
        shown = bytes(value[:max_text]).hex(" ")
        return shown if len(value) <= max_text else f"{shown} … ({len(value)} bytes)"
    if kind is Rgba:
        return "#" + bytes(value).hex()
    if kind is TimeTag:
        return "now" if value == IMMEDIATELY else round(value.unix, 6)
    if kind is Char:
        return value.text or int(value)
    if kind is Impulse:
        return "bang"
    if isinstance(value, str):
        return str(value) if len(value) <= max_text else value[:max_text] + "…"
    if isinstance(value, int) and kind is not bool:
        return int(value) if abs(value) < _SAFE_WHOLE else str(int(value))  # a page's numbers are doubles
    return value


def arguments(words: Sequence[str], types: str | None = None) -> tuple[Any, ...]:
    """What the words of a shell mean: numbers, true and false, else texts; or what ``types`` says, such as "ifs".

    Tags: i h f d numbers, s S texts, c one character, b and m bytes in hex, r a colour, t seconds since 1970 or
    "now"; T F N I [ ] take no word. Raises BadValue.
    """
    if types is None:
        return tuple(map(_inferred, words))
    return _typed(types.removeprefix(","), list(words))


def typed(values: Sequence[Any], types: str | None) -> tuple[Any, ...]:
    """``arguments`` for values of JSON. Raises BadValue."""
    if types is not None:
        return _typed(types.removeprefix(","), list(values))
    return tuple(map(_from_json, values))


def _inferred(word: str) -> Any:
    if word in ("true", "false"):
        return word == "true"
    if _WHOLE.fullmatch(word):
        return _whole(int(word))
    try:
        number = float(word)
    except ValueError:
        return word
    return number if math.isfinite(number) and "_" not in word else word


def _from_json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, float):
        return value
    raise BadValue(f"{value!r:.60}: numbers, texts, true, false and null are arguments; other types need types")


def _whole(number: int) -> int:
    if number in _INT32:
        return number
    return Int64(_within(number, _INT64, "h"))


def _typed(types: str, given: list[Any]) -> tuple[Any, ...]:
    outer: list[list[Any]] = []
    args: list[Any] = []
    given.reverse()
    for tag in types:
        if tag == "[":
            if len(outer) >= MAX_NESTED:
                raise BadValue(f"types {types!r:.80}: more than {MAX_NESTED} arrays inside each other")
            outer.append(args)
            args = []
        elif tag == "]":
            if not outer:
                raise BadValue(f'types {types!r:.80}: "]" without "["')
            outer[-1].append(tuple(args))
            args = outer.pop()
        elif tag in _ALONE:
            args.append(_ALONE[tag])
        elif tag not in _MAKERS:
            raise BadValue(f"types {types!r:.80}: there is no type tag {tag!r}: i f s b h d S c r m t T F N I [ ]")
        elif not given:
            raise BadValue(f"types {types!r:.80} want more arguments than there are")
        else:
            args.append(_made(tag, given.pop()))
    if outer:
        raise BadValue(f'types {types!r:.80}: "[" without "]"')
    if given:
        raise BadValue(f"types {types!r:.80} leave {len(given)} of the arguments over")
    return tuple(args)


def _made(tag: str, raw: Any) -> Any:
    try:
        return _MAKERS[tag](raw)
    except (ValueError, TypeError, OverflowError):
        raise BadValue(f"{raw!r:.60} is no {_WANTED[tag]} (type {tag})") from None


def _within(number: int, allowed: range, tag: str) -> int:
    if number not in allowed:
        raise BadValue(f"{number} does not fit into {32 if tag == 'i' else 64} bits (type {tag})")
    return number


def _integer(raw: Any) -> int:
    if isinstance(raw, str):
        return int(raw) if _WHOLE.fullmatch(raw) else int(raw, 0)
    if isinstance(raw, bool) or raw != int(raw):
        raise ValueError(raw)
    return int(raw)


def _real(raw: Any) -> float:
    if isinstance(raw, bool):
        raise TypeError(raw)
    return float(raw)


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else f"{_real(raw):.10g}"


def _char(raw: Any) -> Char:
    return Char(ord(_text(raw)))


def _time(raw: Any) -> TimeTag:
    if raw == "now":
        return IMMEDIATELY
    tag = TimeTag.from_unix(_real(raw))
    if not 0 <= tag < 2**64:
        raise ValueError(raw)
    return tag


def _rgba(raw: Any) -> Rgba:
    figures = str(raw).removeprefix("#")
    return Rgba(*bytes.fromhex(figures if len(figures) == 8 else figures + "ff"))


def _midi(raw: Any) -> Midi:
    return Midi(*bytes.fromhex(str(raw)))


_ALONE: dict[str, Any] = {"T": True, "F": False, "N": None, "I": IMPULSE}
_MAKERS: dict[str, Any] = {
    "i": lambda raw: _within(_integer(raw), _INT32, "i"),
    "h": lambda raw: Int64(_within(_integer(raw), _INT64, "h")),
    "f": _real,
    "d": lambda raw: Double(_real(raw)),
    "s": _text,
    "S": lambda raw: Symbol(_text(raw)),
    "c": _char,
    "b": lambda raw: bytes.fromhex(str(raw)),
    "t": _time,
    "r": _rgba,
    "m": _midi,
}
_WANTED = {
    "i": "whole number",
    "h": "whole number",
    "f": "number",
    "d": "number",
    "s": "text",
    "S": "text",
    "c": "single character",
    "b": "row of bytes in hex, such as 00ff10",
    "t": 'time in seconds since 1970, or "now"',
    "r": "colour such as #ff8800 or #ff8800ff",
    "m": "four bytes in hex, such as 00903c7f",
}
