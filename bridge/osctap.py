"""What the monitor shows of OSC: packets as lines. Only called while somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal

from .errors import OscError
from .monitor import Bundled, Line, Monitor, Watch
from .osccodec import IMMEDIATELY, Bundle, Message, Packet, TimeTag, decode, messages
from .oscwords import plain_words, tags_of

PORT = "osc"
MAX_SHOWN_ARGS = 32
MAX_SHOWN_TEXT = 200
"""Characters of one text that are shown, and bytes of a blob or of garbage."""
MAX_SHOWN_TAGS = 64
BUNDLES_PER_S = 200
"""Bundles of ours that are taken apart again; the others count as lost lines."""
_BUNDLE = b"#bundle\0"

Way = Literal["in", "out"]


class OscTap:
    """Shows a monitor what one socket hears and says. ``wall_clock`` is seconds since 1970."""

    def __init__(self, monitor: Monitor, wall_clock: Callable[[], float]) -> None:
        self.monitor = monitor
        """Ask its ``is_watched`` before anything else."""
        self._wall_clock = wall_clock
        self._bundles = 0
        self._latest: list[tuple[Message, Line]] = []
        self._room = float(BUNDLES_PER_S)
        self._at = 0.0

    def came(self, peer: str, where: str, packet: Packet, size: int) -> None:
        """A packet has come in; what comes of it follows, as ``remark``."""
        self._latest.clear()
        self._show("in", peer, where, packet, size)

    def went(self, peer: str, where: str, data: bytes) -> None:
        """A packet of ours has left."""
        now = self._wall_clock()
        if data.startswith(_BUNDLE):
            self._room = min(float(BUNDLES_PER_S), self._room + max(0.0, now - self._at) * BUNDLES_PER_S)
            self._at = now
            if self._room < 1:
                self.monitor.lose(peer, 1)
                return
            self._room -= 1
            self._show("out", peer, where, decode(data), len(data))
            return
        address = data[: data.find(b"\0")].decode("utf-8", "replace")
        if takers := self.monitor.takers(peer, address, now):
            message = decode(data)
            assert isinstance(message, Message)
            _put(takers, _line(now, "out", peer, where, len(data), message))

    def garbage(self, peer: str, where: str, data: bytes, why: OscError) -> None:
        """Something has come that is no OSC."""
        now = self._wall_clock()
        if takers := self.monitor.takers(peer, None, now):
            shown = data[:MAX_SHOWN_TEXT].hex(" ")
            line = Line(now, "in", PORT, peer, where, len(data), error=why.reason, offset=why.offset, hex=shown)
            _put(takers, line)

    def stranger(self, where: str, size: int) -> None:
        """Something has come from where no peer is; it was not read."""
        now = self._wall_clock()
        if takers := self.monitor.takers("", None, now):
            _put(takers, Line(now, "in", PORT, "", where, size, note="no [[osc]] table is for this address"))

    def remark(self, message: Message, text: str) -> None:
        """What came of a message of the last packet that came; its address may have been read in another way."""
        for shown, line in self._latest:
            if shown.args is message.args and shown.address.endswith(message.address.lstrip("/")):
                line.note = text
                return

    def _show(self, way: Way, peer: str, where: str, packet: Packet, size: int) -> None:
        now = self._wall_clock()
        if isinstance(packet, Message):
            found = [(IMMEDIATELY, packet)]
        else:
            found = list(messages(packet))
            self._bundles += 1
        for tag, message in found:
            takers = self.monitor.takers(peer, message.address, now)
            if not takers:
                continue
            line = _line(now, way, peer, where, size, message)
            if isinstance(packet, Bundle):
                line.bundle = Bundled(self._bundles, _seconds(tag))
            _put(takers, line)
            if way == "in":
                self._latest.append((message, line))


def _put(takers: Sequence[Watch], line: Line) -> None:
    for watch in takers:
        watch.put(line)


def _seconds(tag: TimeTag) -> float | None:
    return None if tag == IMMEDIATELY else round(tag.unix, 3)


def _line(now: float, way: Way, peer: str, where: str, size: int, message: Message) -> Line:
    args = message.args
    types = "," + "".join(islice(tags_of(args), MAX_SHOWN_TAGS)) if message.tagged else None
    shown = plain_words(args[:MAX_SHOWN_ARGS], MAX_SHOWN_ARGS, MAX_SHOWN_TEXT)
    more = max(0, len(args) - MAX_SHOWN_ARGS)
    return Line(now, way, PORT, peer, where, size, address=message.address, types=types, args=shown, more=more)
