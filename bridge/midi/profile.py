"""Profiles of ``[[midi]]`` peers: controllers whose parts have names. See ``profile``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.config.profile import Profiles

from .settings import FOR_IN, FOR_OUT, Settings


def merge(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The table, and the defaults that do not contradict it; its own parts stand before the profile's."""
    left = dict(defaults)
    if table.get("virtual"):
        left.pop("device", None)  # the ports are ours
    for port, keys in (("in", FOR_IN), ("out", FOR_OUT)):
        made = {**left, **table}
        if made.get(port) is False or not any(map(made.get, (port, "device", "virtual"))):
            left = {key: value for key, value in left.items() if key not in keys}
    made = {**left, **table}
    for key in ("part", "mode"):
        own, known = table.get(key), left.get(key)
        if isinstance(own, list) and isinstance(known, list):  # else it is told with the other keys
            made[key] = [*own, *known]
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
