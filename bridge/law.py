"""The laws between a widget's position and a control's value, and the text of a number.

Pure functions, the same as ``web/lib/law.js``; ``tests/vectors/laws.json`` holds both to it.
A position is 0..1 along the travel of a fader or the turn of a knob.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

Curve = Literal["linear", "log", "db"]
Table = Sequence[tuple[float, float]]

# The four straight pieces of the X32's fader, (position, dB); the de-facto law of digital desks.
DB_TABLE: tuple[tuple[float, float], ...] = ((0.0, -90.0), (0.0625, -60.0), (0.25, -30.0), (0.5, -10.0), (1.0, 10.0))

MINUS = "\u2212"
MINUS_INFINITY = "\u2212\u221e"


def value_at(position: float, curve: Curve, low: float, high: float, table: Table = DB_TABLE) -> float:
    """The value at a position; the position is clamped to 0..1. ``log`` needs 0 < low < high."""
    p = min(1.0, max(0.0, position))
    if p == 0.0:
        return low
    if p == 1.0:
        return high
    if curve == "log":
        value = low * math.pow(high / low, p)
    elif curve == "db":
        start, end = _table_position(low, table), _table_position(high, table)
        value = _table_value(start + p * (end - start), table)
    else:
        value = low + p * (high - low)
    return min(high, max(low, value))  # rounding may pass an end by a bit in its last place


def position_of(value: float, curve: Curve, low: float, high: float, table: Table = DB_TABLE) -> float:
    """The position 0..1 of a value; the value is clamped to low..high."""
    v = min(high, max(low, value))
    if curve == "log":
        return math.log(v / low) / math.log(high / low)
    if curve == "db":
        start, end = _table_position(low, table), _table_position(high, table)
        return min(1.0, max(0.0, (_table_position(v, table) - start) / (end - start)))
    return (v - low) / (high - low)


def text_of(value: float, decimals: int, curve: Curve = "linear", table: Table = DB_TABLE) -> str:
    """A number for reading: real minus sign, no "−0", "−∞" at the bottom of a dB table."""
    if curve == "db" and value <= table[0][1]:
        return MINUS_INFINITY
    text = f"{value:.{decimals}f}"
    if text.startswith("-"):
        return text[1:] if not text.strip("-0.") else MINUS + text[1:]
    return text


def _table_value(position: float, table: Table) -> float:
    index = min(max(bisect_right(table, position, key=lambda point: point[0]), 1), len(table) - 1)
    (p0, v0), (p1, v1) = table[index - 1], table[index]
    return v0 + (position - p0) * (v1 - v0) / (p1 - p0)


def _table_position(value: float, table: Table) -> float:
    v = min(table[-1][1], max(table[0][1], value))
    index = min(max(bisect_right(table, v, key=lambda point: point[1]), 1), len(table) - 1)
    (p0, v0), (p1, v1) = table[index - 1], table[index]
    return p0 + (v - v0) * (p1 - p0) / (v1 - v0)
