"""What the monitor shows of MIDI: messages as lines. Only called while somebody watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from bridge.monitor import Line, Monitor

from .codec import Message, Parser, encode

PORT = "midi"
MAX_SHOWN = 64
"""Bytes of a sysex that are shown."""


class MidiTap:
    """Shows a monitor what one peer hears and says. ``wall_clock`` is seconds since 1970."""

    def __init__(self, monitor: Monitor, wall_clock: Callable[[], float]) -> None:
        self.monitor = monitor
        """Ask its ``is_watched`` before anything else."""
        self._wall_clock = wall_clock

    def came(self, peer: str, where: str, message: Message) -> None:
        """A message has come in."""
        self._show("in", peer, where, message)

    def went(self, peer: str, where: str, data: bytes) -> None:
        """A message of ours has left."""
        for message in Parser().feed(data):
            self._show("out", peer, where, message)

    def _show(self, way: Literal["in", "out"], peer: str, where: str, message: Message) -> None:
        now = self._wall_clock()
        address = address_of(message)
        for taker in self.monitor.takers(peer, address, now):
            size = len(encode(message))
            taker.put(Line(now, way, PORT, peer, where, size, address, args=args_of(message)))


def address_of(message: Message) -> str:
    """What the monitor filters by: ``/cc/1/7`` is CC 7 on channel 1, ``/bend/3``, ``/clock``."""
    kind = "note" if message.kind in ("note_on", "note_off") else message.kind
    parts = [kind, *([str(message.channel)] if message.channel else [])]
    if message.kind in ("note_on", "note_off", "poly", "cc"):
        parts.append(str(message.number))
    return "/" + "/".join(parts)


def args_of(message: Message) -> list[Any]:
    """The value; a note that is let go has 0; of a sysex its bytes in hex."""
    if message.kind == "sysex":
        return [message.data[:MAX_SHOWN].hex(" ") + (" …" if len(message.data) > MAX_SHOWN else "")]
    if message.kind == "note_off":
        return [0]
    return [message.value] if message.channel or message.kind in ("time_code", "position", "song") else []
