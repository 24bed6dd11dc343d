"""Values as a configuration writes them: ``default``, ``rest`` and those of ``[panic]``.

The network is met half-way (``coercion``: a program that sends 1 for on means it). A file is written by
a person who can be told: a value of another kind, or outside the range, is a mistake here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bridge.control import NUMERIC, Control
from bridge.errors import BadValue


def kind_problem(kind: str, raw: Any, choices: Collection[str] = ()) -> str | None:
    """Why no control of this kind can be given ``raw`` in a file; None if one can.

    A bool takes 1 and 0 too, a string a number as it is written, a choice an index where no choice is
    called like that number.
    """
    match kind:
        case "float":
            return None if _is_number(raw) else "must be a number"
        case "int":
            return None if _is_number(raw) and raw == int(raw) else "must be a whole number"
        case "bool":
            return None if isinstance(raw, (bool, int)) and raw in (0, 1) else "must be true or false"
        case "choice":
            if isinstance(raw, str):
                return None
            if not isinstance(raw, int) or isinstance(raw, bool):
                return "must be one of its texts, in quotes"
            return f'must be in quotes: "{raw}" is one of its texts' if str(raw) in choices else None
        case "string":
            return None if isinstance(raw, str) or _is_number(raw) else "must be text in quotes"
        case "color":
            return None if isinstance(raw, str) or _are_numbers(raw) else 'must be a colour such as "#ff8800"'
        case "vector":
            return None if _are_numbers(raw) else "must be a list of numbers"
    return None  # a trigger and a meter keep none: Control says so


def value_problem(control: Control, raw: Any) -> str | None:
    """Why this control cannot be given ``raw`` in a file; None if it can."""
    if (problem := kind_problem(control.kind, raw, control.choices)) is not None:
        return problem
    if control.kind in NUMERIC:
        parts = raw if isinstance(raw, (list, tuple)) else (raw,)
        if not all(control.low <= part <= control.high for part in parts):
            return f"is outside the range [{control.low:g}, {control.high:g}]"
    try:
        control.coerce(raw)
    except BadValue as exc:
        return str(exc)
    return None


def _is_number(raw: Any) -> bool:
    return isinstance(raw, (int, float)) and not isinstance(raw, bool)


def _are_numbers(raw: Any) -> bool:
    return isinstance(raw, (list, tuple)) and all(map(_is_number, raw))
