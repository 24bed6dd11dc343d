"""What a raw value from the network becomes: clamped, on its step, of one Python type; or BadValue.

One function for each kind makes the coercion of one control, bound once, because it runs for every
message that arrives. The same laws as ``clamp`` in ``web/lib/law.js``; ``tests/vectors/laws.json``
holds both to them. A coercion never raises anything but BadValue, whatever it is given, and
coercing its own result changes nothing.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from .errors import BadValue

Value: TypeAlias = float | int | bool | str | tuple[float, ...] | None
"""float, int, bool; str for choice (its text), string and color; a tuple for vector; None for trigger."""

Coerce: TypeAlias = Callable[..., Value]
"""``coerce(raw, current=None)`` → Value. ``current`` fills the None components of a vector."""

Limit = tuple[float, float]

MAX_WHOLE = 2**53 - 1  # a page's numbers are doubles: larger whole numbers are not exact there
MAX_ARGS = 64
MAX_ARG_TEXT = 1000  # characters

_HEX_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})\Z")
_DUST = 1e-6  # of a step: three times a third may miss the end of a range by a bit in its last place


# Numbers


@lru_cache(1024)
def number(limit: Limit, low: float, step: float | None) -> Callable[..., float]:
    """Numbers and bools to a float inside ``limit``, and on low + n × step where there is a step.

    One function for all controls that are alike: of 4,096 each would come from memory.
    """
    bottom, top = (float(end) for end in limit)
    isfinite = math.isfinite

    def clamped(raw: Any, current: Value = None) -> float:
        try:
            value: float = raw + 0.0  # a float at once; int and bool become one; str, None and lists raise
            finite = isfinite(value)
        except (TypeError, OverflowError):
            raise BadValue(f"expected a number, got {shown(raw)}") from None
        if not finite:
            raise BadValue(f"expected a finite number, got {value}")
        return bottom if value < bottom else top if value > top else value

    if step is None:
        return clamped
    snap, (first, last) = grid(low, step), grid_ends(limit, low, step)

    def stepped(raw: Any, current: Value = None) -> float:
        value = snap(clamped(raw))  # clamped first: a huge number has no step
        return first if value < first else last if value > last else value

    return stepped


def whole(limit: Limit, low: float, step: float | None) -> Coerce:
    """``number`` as an int; a fraction goes to the nearest."""
    nearest = number(limit, low, step)
    return lambda raw, current=None: int(nearest(raw))


def vector(limit: Limit, low: float, step: float | None, size: int) -> Coerce:
    """A sequence of ``size`` numbers to a tuple; None leaves a component as it is in ``current``."""
    component = number(limit, low, step)

    def components(raw: Any, current: Value = None) -> tuple[float, ...]:
        if not isinstance(raw, (list, tuple)) or len(raw) != size:
            raise BadValue(f"expected {size} numbers, got {shown(raw)}")
        old = current if isinstance(current, tuple) and len(current) == size else (None,) * size
        parts = [before if part is None else component(part) for part, before in zip(raw, old, strict=True)]
        if None in parts:
            raise BadValue("null leaves a component as it is, and there is none yet")
        return tuple([part for part in parts if part is not None])

    return components


def grid(low: float, step: float) -> Callable[[float], float]:
    """The nearest of low, low + step, low + 2 step, …; free of binary dust where both are decimal numbers."""
    low, step, floor = float(low), float(step), math.floor
    if is_decimal(low) and is_decimal(step):
        scale = 10 ** max(digits(low), digits(step))
        first, each = round(low * scale), round(step * scale)
        return lambda value: (first + floor((value - low) / step + 0.5) * each) / scale
    return lambda value: low + floor((value - low) / step + 0.5) * step + 0.0  # + 0.0: never −0


def grid_ends(limit: Limit, low: float, step: float) -> Limit:
    """Lowest and highest step inside the limit; the first above the last if there is none."""
    bottom, top = (float(end) for end in limit)
    snap, dust = grid(low, step), step * _DUST
    first, last = snap(bottom), snap(top)
    first = max(first, bottom) if first >= bottom - dust else snap(first + step)
    last = min(last, top) if last <= top + dust else snap(last - step)
    return first, last


def is_decimal(value: float) -> bool:
    """True if 9 decimals write it: 0.05 is, a third is not."""
    return round(value, 9) == value


def digits(value: float) -> int:
    """Decimals that the number is written with, at most 9."""
    return len(f"{value:.9f}".rstrip("0").split(".")[1])


# Other kinds


def boolean(raw: Any, current: Value = None) -> bool:
    """True and false, and numbers: from 0.5 on true."""
    value = _finite(raw)
    if value is None:
        raise BadValue(f"expected true, false, 1 or 0, got {shown(raw)}")
    return value >= 0.5


def choice(choices: tuple[str, ...]) -> Coerce:
    """One of the texts, or its index from 0."""
    texts = {text: text for text in choices}

    def chosen(raw: Any, current: Value = None) -> str:
        if isinstance(raw, str):
            if raw in texts:
                return texts[raw]
            raise BadValue(f"{shown(raw)} is none of {_shown_list(choices)}")
        index = _finite(raw)
        if index is not None and index.is_integer() and 0 <= index < len(choices):
            return choices[int(index)]
        raise BadValue(f"expected one of {_shown_list(choices)} or an index 0…{len(choices) - 1}, got {shown(raw)}")

    return chosen


def text(max_length: int) -> Coerce:
    """Text, cut to ``max_length`` characters; a number as a person writes it."""

    def written(raw: Any, current: Value = None) -> str:
        if not isinstance(raw, (str, bool)) and (value := _finite(raw)) is not None:
            raw = f"{value:.10g}"  # Pd and Max turn a typed 5 into a number
        if not isinstance(raw, str):
            raise BadValue(f"expected text, got {shown(raw)}")
        return _encodable(raw[:max_length])

    return written


def color(raw: Any, current: Value = None) -> str:
    """ "#rgb", "#rrggbb", "#rrggbbaa", 3 to 4 numbers 0…1 or an osc.codec.Rgba to "#rrggbb[aa]", aa only if not ff."""
    if isinstance(raw, str):
        if not _HEX_COLOR.match(raw):
            raise BadValue(f'expected a colour such as "#ff8800", got {shown(raw)}')
        figures = raw[1:].lower()
        if len(figures) == 3:
            figures = "".join(figure * 2 for figure in figures)
        return "#" + (figures[:6] if figures[6:] == "ff" else figures)
    if isinstance(raw, (list, tuple)) and len(raw) in (3, 4):
        full = 1.0 if hasattr(raw, "r") else 255.0  # an Rgba counts to 255 already
        parts = [value for part in raw if (value := _finite(part)) is not None]
        if len(parts) == len(raw):
            return color("#" + "".join(f"{round(min(255.0, max(0.0, part * full))):02x}" for part in parts))
    raise BadValue(f'expected a colour such as "#ff8800" or 3 to 4 numbers 0…1, got {shown(raw)}')


def nothing(raw: Any, current: Value = None) -> Value:
    """Triggers."""
    raise BadValue("a trigger has no value: fire it")


def plain_args(args: Sequence[Any]) -> tuple[bool | int | float | str | None, ...]:
    """A trigger's arguments as every transport can carry them: bool, finite number, text or None, no subclass of these.

    Raises BadValue for anything else, for more than MAX_ARGS and for texts longer than MAX_ARG_TEXT.
    """
    if len(args) > MAX_ARGS:
        raise BadValue(f"a trigger takes at most {MAX_ARGS} arguments, not {len(args)}")
    return tuple([None if arg is None else _plain(arg) for arg in args])


# Helpers


def _plain(arg: Any) -> bool | int | float | str:
    if isinstance(arg, bool):
        return arg
    if isinstance(arg, str):
        if len(arg) > MAX_ARG_TEXT:
            raise BadValue(f"an argument may have {MAX_ARG_TEXT} characters, not {len(arg)}")
        return _encodable(str(arg))
    value = _finite(arg)
    if value is None:
        raise BadValue(f"expected numbers, texts, true or false, got {shown(arg)}")
    if isinstance(arg, int):
        if abs(arg) > MAX_WHOLE:
            raise BadValue(f"{shown(arg)} is outside ±{MAX_WHOLE}")
        return int(arg)
    return value


def _finite(raw: Any) -> float | None:
    """A number or bool as a float; None for anything else, and for what no double can hold."""
    if not isinstance(raw, (int, float)):
        return None
    try:
        value = float(raw)
    except OverflowError:
        return None
    return value + 0.0 if math.isfinite(value) else None


def _encodable(raw: str) -> str:
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise BadValue("the text holds half of a surrogate pair") from None
    return raw


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def shown(raw: Any) -> str:
    """``raw`` for a person, cut short; safe with whatever a hostile message nests or counts."""
    try:
        written = _REPR.repr(raw)
    except ValueError:  # Python writes no int of more than 4300 digits
        return f"a {type(raw).__name__} with a number that is too long to write"
    return written if len(written) <= 60 else written[:59] + "…"


def _shown_list(choices: tuple[str, ...]) -> str:
    first = ", ".join(text if len(text) <= 40 else text[:39] + "…" for text in choices[:8])
    return first + (", …" if len(choices) > 8 else "")
