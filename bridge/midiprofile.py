"""Profiles of ``[[midi]]`` peers: controllers whose parts have names. See ``profile``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .midisettings import Settings
from .profile import Profiles

_FOR_OUT = ("feedback", "settle_ms", "rate", "on", "off", "hello")
"""What is nothing to a peer without a port that we send to."""


def merge(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The table, and the defaults that do not contradict it; its own parts stand before the profile's."""
    left = dict(defaults)
    if table.get("virtual"):
        left.pop("device", None)  # the ports are ours
    elif not table.get("out", table.get("device", left.get("device"))):
        for key in _FOR_OUT:
            left.pop(key, None)
    made = {**left, **table}
    for key in ("part", "mode"):
        own, known = table.get(key, []), defaults.get(key, [])
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
