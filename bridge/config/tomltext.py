"""Plain data → TOML text, for the few lines that we write ourselves. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """A value on one line; a table is an inline one. What TOML's readers return can all be written."""
    if isinstance(value, Mapping):
        return f"{{ {inline(value)} }}" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # TOML's basic strings take JSON's escapes, and no bare DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value) if isinstance(value, (int, float)) else str(value.isoformat())  # else a date or a time


def inline(table: Mapping[str, Any]) -> str:
    """``cc = 16, relative = "sign"``."""
    return ", ".join(lines(table))


def lines(table: Mapping[str, Any]) -> list[str]:
    """``key = value``, one by one."""
    return [f"{toml_key(key)} = {toml_value(value)}" for key, value in table.items()]


def toml_key(key: str) -> str:
    """A key as it stands in front of ``=``, and in a table's name."""
    return key if _BARE_KEY.fullmatch(key) else toml_value(key)
