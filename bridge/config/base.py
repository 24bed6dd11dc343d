"""What all tables share, the bridge's own and those of peers: how strict they are, and what a name may be. Pure."""

from __future__ import annotations

import re
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

Keys: TypeAlias = tuple[str | int, ...]
"""A place in the data: ``("control", 3, "range")``, list indices from 0."""

NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
WHOLE_NUMBERS = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
"""What the schema says of two numbers, such as a range."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


class Table(BaseModel):
    """No unknown keys, no silent conversion, nothing changes afterwards."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, arbitrary_types_allowed=True, defer_build=True
    )  # built when one is read: not at every start, which is a budget


def is_name(text: str) -> bool:
    """True for what may stand in addresses, in headers and in names of files."""
    return bool(_NAME.fullmatch(text))


def check_name(text: str, why: str) -> str:
    """A name, or ValueError, saying why it must be one."""
    if not is_name(text):
        raise ValueError(f"must be 1–60 letters, digits, - or _: {why}")
    return text


def read_profile(text: str) -> str:
    """A profile's name. Raises ValueError."""
    return check_name(text, "it is the name of a profile's file")
