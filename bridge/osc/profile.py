"""Profiles of ``[[osc]]`` peers: kinds of programs and desks. See ``profile``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.config.profile import Profiles

from .settings import Settings


def merge(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The table, and the defaults that do not contradict it."""
    left = dict(defaults)
    if "host" in table:
        left.pop("send", None)
    else:
        left.pop("port", None)  # it is the port at host
    if "send" in table:
        left.pop("send", None)
    if table.get("transport") in ("tcp-slip", "tcp-length"):
        left.pop("reply_port", None)
        if left.get("send") == "last":
            del left["send"]
    if isinstance(table.get("types"), dict):
        left["types"] = {**left.get("types", {}), **table["types"]}
    return {**left, **{key: value for key, value in table.items() if key != "types" or "types" not in left}}


def _examples(defaults: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield {"host": "127.0.0.1", "port": defaults.get("port", 9)}
    if "send" in defaults:
        yield {}


PROFILES = Profiles(
    Settings,
    merge,
    _examples,
    {
        "name": "each peer has its own",
        "host": "each peer has its own",
        "from": "each peer has its own",
        "profile": "a profile has none",
    },
)
