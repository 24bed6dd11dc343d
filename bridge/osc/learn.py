"""Controls made of what a peer says: which kind, which range. Pure.

The first message to an unknown address decides; what comes later may make the range wider, a whole number a fraction,
one number several. Nothing shrinks, so a control settles. Not here: which addresses are unknown, and how many may be
learnt (``incoming``).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from bridge.control import MAX_INT, MAX_VECTOR, RESERVED, Control, Kind
from bridge.errors import BadControl

from .types import Char, Impulse, Midi, Rgba, TimeTag, Values

OWNER = "learn"

Range = tuple[float, float]

_ROUND = sorted({factor * 10.0**power for power in range(38) for factor in (1, 2, 5)})
_WHOLE = [1, 127, 255, 1023, 4095, 16_383, 65_535, *(int(rung) for rung in _ROUND if 65_535 < rung <= MAX_INT)]
"""Rungs by which ranges grow: 1, 2, 5, 10, …; whole numbers mostly come in 7, 8, 10, 12, 14 or 16 bits."""


def learnt(path: str, args: Values) -> Control | None:
    """The control that a first message means; None where no control can hold what it says, or be called so."""
    values = _members(args)
    kind = _kind(values)
    if kind is None or f"{path}/".startswith(f"{RESERVED}/"):
        return None
    try:
        if kind in ("float", "int", "vector"):
            return _numeric(path, kind, values, None)
        return Control(path=path, kind=kind, owner=OWNER)
    except BadControl:
        return None


def grown(control: Control, args: Values) -> Control | None:
    """A learnt control as it must be to hold this message as well; None where it can already, or never will."""
    if len(args) == 1 and type(args[0]) is float and control.kind == "float" and control.low <= args[0] <= control.high:
        return None  # nearly always
    values = _members(args)
    kind = _kind(values)
    if kind not in ("float", "int", "vector") or control.kind not in _WIDER:
        return None
    if control.kind in ("bool", "trigger"):
        # A button says 0 and 1, and so does a switch: only another number shows that it is neither.
        if all(value in (0, 1) for value in values):
            return None
        return _numeric(control.path, kind, values, None)
    wider = kind if _WIDER.index(kind) > _WIDER.index(control.kind) else control.kind
    is_longer = wider == "vector" and len(values) > control.size
    if wider == control.kind and not is_longer and _widened(control.range, values, wider == "int") == control.range:
        return None
    return _numeric(control.path, wider, values, control)


_WIDER: tuple[Kind, ...] = ("trigger", "bool", "int", "float", "vector")
"""A kind may become one that stands behind it; a text never was a number."""


def _members(args: Values) -> Values:
    """An array alone stands for its members; null says nothing."""
    if len(args) == 1 and type(args[0]) is tuple:
        args = args[0]
    return tuple(value for value in args if value is not None)


def _kind(values: Values) -> Kind | None:
    if not values or values[0] is Impulse.IMPULSE:
        return "trigger"
    if any(not _is_carried(value) for value in values):
        return None
    if all(_is_number(value) for value in values):
        if len(values) > 1:
            return "vector" if len(values) <= MAX_VECTOR else None
        return "bool" if isinstance(values[0], bool) else "float" if isinstance(values[0], float) else "int"
    if len(values) == 1 and isinstance(values[0], Rgba):
        return "color"
    return "string" if all(isinstance(value, (str, Char)) for value in values) else "trigger"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, (Char, TimeTag))


def _is_carried(value: Any) -> bool:
    """False for what no control can hold: blobs, arrays among others, times, what is no number."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, (bytes, TimeTag)) and (isinstance(value, (Rgba, Midi)) or not isinstance(value, tuple))


def _numeric(path: str, kind: Kind, values: Values, known: Control | None) -> Control:
    interval = _widened(None if known is None else known.range, values, kind == "int")
    if kind == "vector":
        size = known.size if known is not None and known.kind == "vector" else 2
        return Control(path=path, kind=kind, owner=OWNER, range=interval, size=max(size, len(values)))
    return Control(path=path, kind=kind, owner=OWNER, range=interval)


def _widened(known: Range | None, numbers: Sequence[float], is_whole: bool) -> Range:
    """The range that holds these too: from 0 to 1, or −1 to 1, or as far as it takes."""
    rungs: Sequence[float] = _WHOLE if is_whole else _ROUND
    lowest, highest = min(numbers), max(numbers)
    if known is None:
        known = (0.0, 1.0 if highest > 0 or lowest >= -1 else 0.0)
    low, high = known
    if lowest < low:
        low = -_rung(rungs, -lowest)
    if highest > high:
        high = _rung(rungs, highest)
    return (low, high)


def _rung(rungs: Sequence[float], number: float) -> float:
    """The first rung that is high enough; the last where none is."""
    return rungs[min(bisect_left(rungs, number), len(rungs) - 1)]
