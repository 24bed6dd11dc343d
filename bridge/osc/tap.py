"""What the monitor shows of OSC: packets as lines. Only called while somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias

from bridge.allowance import Allowance
from bridge.errors import OscError
from bridge.monitor import Bundled, Line, Monitor, Watcher

from .codec import IMMEDIATELY, Bundle, Message, Packet, TimeTag, decode, messages
from .types import BUNDLE
from .words import plain_words, tags_of

PORT = "osc"
MAX_SHOWN_ARGS = 32
MAX_SHOWN_TEXT = 200
"""Characters of one text that are shown, and bytes of a blob or of garbage."""
MAX_SHOWN_ADDRESS = 255
MAX_SHOWN_TAGS = 64
BUNDLES_PER_S = 200
"""Bundles of ours that are taken apart again; the others count as lost lines."""

Way = Literal["in", "out"]
Address: TypeAlias = tuple[Any, ...]
"""Of a socket."""


class OscTap:
    """Shows a monitor what one socket hears and says.

    ``wall_clock`` is seconds since 1970; ``shown`` makes a text of an address.
    """

    def __init__(self, monitor: Monitor, wall_clock: Callable[[], float], shown: Callable[[Address], str]) -> None:
        self.monitor = monitor
        """Ask its ``is_watched`` before anything else."""
        self._wall_clock = wall_clock
        self._shown = shown
        self._bundles = 0
        self._apart = Allowance(BUNDLES_PER_S, BUNDLES_PER_S)
        self._latest: dict[tuple[int, str], Line] = {}  # of the last packet that came, by message

    def came(self, peer: str, where: Address, packet: Packet, size: int) -> None:
        """A packet has come in; what comes of it follows, as ``remark``."""
        self._latest.clear()
        now = self._wall_clock()
        if isinstance(packet, Bundle):
            self._show_bundle("in", peer, where, packet, size, now)
        elif takers := self.monitor.takers(peer, packet.address, now):
            self._show("in", peer, where, packet, size, now, takers)

    def went(self, peer: str, where: str, data: bytes) -> None:
        """A packet of ours has left."""
        now = self._wall_clock()
        try:
            if data.startswith(BUNDLE):
                if self._apart.take(1, now):
                    packet = decode(data)
                    assert isinstance(packet, Bundle)
                    self._show_bundle("out", peer, where, packet, len(data), now)
                else:
                    self.monitor.lose(peer)
                return
            address = data[: data.find(b"\0")].decode("utf-8", "replace")
            if takers := self.monitor.takers(peer, address, now):
                packet = decode(data)
                assert isinstance(packet, Message)
                self._show("out", peer, where, packet, len(data), now, takers)
        except OscError as exc:  # the monitor is no reason for a port to stop
            self._show_garbage("out", peer, where, data, exc, now)

    def garbage(self, peer: str, where: Address, data: bytes, why: OscError) -> None:
        """Something has come that is no OSC."""
        self._show_garbage("in", peer, where, data, why, self._wall_clock())

    def broken(self, peer: str, where: Address, why: str) -> None:
        """A stream holds what is no packet; its bytes are not at hand."""
        now = self._wall_clock()
        if takers := self.monitor.takers(peer, None, now):
            _put(takers, Line(now, "in", PORT, peer, self._shown(where), 0, note=why))

    def stranger(self, where: Address, size: int) -> None:
        """Something has come from where no peer is; it was not read."""
        now = self._wall_clock()
        if takers := self.monitor.takers("", None, now):
            why = "no [[osc]] table is for this address, or lets it in"
            _put(takers, Line(now, "in", PORT, "", self._shown(where), size, note=why))

    def flooded(self, peer: str, where: Address, size: int) -> None:
        """Something has come from a host that sends too much; it was not read."""
        now = self._wall_clock()
        if takers := self.monitor.takers(peer, None, now):
            _put(takers, Line(now, "in", PORT, peer, self._shown(where), size, note="dropped: too many from there"))

    def remark(self, message: Message, text: str) -> None:
        """What came of a message of the last packet that came; its address may have been read in another way."""
        line = self._latest.get(_key(message))
        if line is not None:
            line.note = _cut(text)

    def _show_bundle(self, way: Way, peer: str, where: str | Address, bundle: Bundle, size: int, now: float) -> None:
        self._bundles += 1
        tag = bundle.timetag
        for tag, message in messages(bundle):
            if takers := self.monitor.takers(peer, message.address, now):
                line = self._show(way, peer, where, message, size, now, takers)
                line.bundle = Bundled(self._bundles, _seconds(tag))
        if not bundle.elements and (takers := self.monitor.takers(peer, None, now)):
            bundled = Bundled(self._bundles, _seconds(tag))
            _put(takers, Line(now, way, PORT, peer, self._text(where), size, bundle=bundled, note="empty"))

    def _show(
        self,
        way: Way,
        peer: str,
        where: str | Address,
        message: Message,
        size: int,
        now: float,
        takers: Sequence[Watcher],
    ) -> Line:
        line = _line(now, way, peer, self._text(where), size, message)
        _put(takers, line)
        if way == "in":
            self._latest[_key(message)] = line
        return line

    def _show_garbage(self, way: Way, peer: str, where: str | Address, data: bytes, why: OscError, now: float) -> None:
        if takers := self.monitor.takers(peer, None, now):
            shown = data[:MAX_SHOWN_TEXT].hex(" ")
            where = self._text(where)
            _put(
                takers,
                Line(now, way, PORT, peer, where, len(data), error=_cut(why.reason), offset=why.offset, hex=shown),
            )

    def _text(self, where: str | Address) -> str:
        return where if isinstance(where, str) else self._shown(where)


def _key(message: Message) -> tuple[int, str]:
    """What stays the same where an address loses its prefix or is given its slash."""
    return id(message.args), message.address.rpartition("/")[2]


def _put(takers: Sequence[Watcher], line: Line) -> None:
    for watch in takers:
        watch.put(line)


def _seconds(tag: TimeTag) -> float | None:
    return None if tag == IMMEDIATELY else round(tag.unix, 3)


def _line(now: float, way: Way, peer: str, where: str, size: int, message: Message) -> Line:
    args = message.args
    types = "," + "".join(islice(tags_of(args), MAX_SHOWN_TAGS)) if message.tagged else None
    shown = plain_words(args[:MAX_SHOWN_ARGS], MAX_SHOWN_ARGS, MAX_SHOWN_TEXT)
    more = max(0, len(args) - MAX_SHOWN_ARGS)
    address = _cut(message.address)
    return Line(now, way, PORT, peer, where, size, address=address, types=types, args=shown, more=more)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_ADDRESS else text[:MAX_SHOWN_ADDRESS] + "…"
