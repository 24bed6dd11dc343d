"""Profiles of ``[[midi]]`` peers: controllers whose parts have names. See ``profile``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .midisettings import Settings
from .profile import Profiles


def merge(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The table, and the defaults that do not contradict it; its own parts stand before the profile's."""
    left = dict(defaults)
    if table.get("virtual"):
        left.pop("device", None)  # the ports are ours
    own, made = table.get("part", []), {**left, **table}
    if isinstance(own, list):  # else it is told with the other keys
        made["part"] = [*own, *defaults.get("part", [])]
    return made


def _examples(defaults: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield {} if "device" in defaults else {"device": "it"}


PROFILES = Profiles(
    Settings,
    merge,
    _examples,
    {"name": "each peer has its own", "profile": "a profile has none"},
    below="midi",
)
