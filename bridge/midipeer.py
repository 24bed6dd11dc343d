"""One MIDI peer: its routes, what is known of each, what it is owed, and how it is. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .echo import EchoBook, TriggerEchoes
from .errors import BadControl
from .midibind import Route, RouteTable, compile_routes
from .midicodec import Writer
from .midisettings import Settings
from .miditakeover import SoftTakeover
from .port import Peer
from .store import Entry, Origin

MAX_EVENTS = 64
"""Triggers that wait to be sent; the oldest goes: an event that cannot leave is an old gesture."""
MAX_SHOWN = 4
"""Ports that are named where none fits."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Why a control is to be sent: what the echo guard is told of it (``echo.EchoGuard.sent``)."""

    is_settling: bool = False
    answers: int = 0


class MidiPeer:
    """One ``[[midi]]`` table while the bridge runs. ``warn(path, text)`` is told of a binding that does not fit."""

    def __init__(self, peer: Peer, warn: Callable[[str, str], None]) -> None:
        self.name = peer.name
        self.settings: Settings = peer.settings
        self.origin = Origin("midi", peer.name)
        self.routes = RouteTable()
        self.echoes: EchoBook[Route] = EchoBook()
        self.fired: dict[Route, TriggerEchoes] = {}
        """Presses that we have sent, of those who echo."""
        self.takeovers: dict[Route, SoftTakeover] = {}
        self.moved_at: dict[Route, float] = {}
        """When the device has last moved it by itself."""
        self.shows: dict[Route, int] = {}
        """What it was sent, where it has said nothing since."""
        self.pending: dict[Route, Owed] = {}
        """What it is owed: the latest value, at its pace."""
        self.events: deque[Route] = deque(maxlen=MAX_EVENTS)
        self.urgent: list[bytes] = []
        self.writer = Writer()
        self.received = self.sent = self.bad = self.unknown = self.lost = 0
        """Messages; ``lost``: triggers that could not leave."""
        self.in_name = self.out_name = ""
        """The ports that are connected now."""
        self.trouble = ""
        """Why it is not."""
        self.looks_like = ""
        """What it seems to be set to, where that is wrong."""
        self._bindings = peer.bindings
        self._warn = warn

    @property
    def is_connected(self) -> bool:
        return bool(self.in_name or self.out_name)

    @property
    def is_gone(self) -> bool:
        """True if what is sent to it cannot arrive; False too while nobody has looked."""
        return bool(self.trouble) and not self.is_connected

    def takes(self, entry: Entry) -> bool:
        """True if the control goes to it."""
        return entry.id in self.routes.speakers

    def put(self, entry: Entry) -> None:
        """A control is there, or is described anew."""
        bindings = self._bindings.get(entry.path)
        if bindings is None:
            return
        self.drop(entry)
        routes = []
        for binding in bindings:
            try:
                routes += compile_routes(entry, binding, self.settings)
            except BadControl as exc:
                self._warn(entry.path, f"midi {self.name}: {entry.path}: {exc}")
        self.routes.put(entry, routes)
        for route in routes:
            if route.is_fader and route.takeover != "jump":
                self.takeovers[route] = SoftTakeover(route.takeover)

    def drop(self, entry: Entry) -> None:
        """A control has gone."""
        for route in self.routes.drop(entry):
            self.echoes.forget(route)
            for table in (self.fired, self.takeovers, self.moved_at, self.shows, self.pending):
                table.pop(route, None)
            while route in self.events:
                self.events.remove(route)

    def clear(self) -> None:
        """The device has gone: it is owed nothing, and may come back otherwise."""
        self.echoes.clear()
        for table in (self.fired, self.moved_at, self.shows, self.pending):
            table.clear()
        self.events.clear()
        self.urgent.clear()
        self.writer = Writer()
        self.looks_like = ""

    @property
    def life(self) -> str:
        """connecting (nobody has looked yet), online or offline."""
        if self.is_connected:
            return "online"
        return "offline" if self.trouble else "connecting"

    @property
    def state(self) -> str:
        """That, and how it is: "online: in nanoKONTROL2, out nanoKONTROL2"."""
        return f"{self.life}: {self.text}"

    @property
    def text(self) -> str:
        """How it is, in words that a performer understands."""
        if not self.is_connected:
            return self.trouble or "nobody has looked for it yet"
        parts = [f"in {self.in_name}" if self.in_name else "", f"out {self.out_name}" if self.out_name else ""]
        return "; ".join([", ".join(filter(None, parts)), *filter(None, [self.looks_like])])

    def health(self) -> dict[str, Any]:
        """For ``/healthz``."""
        return {
            "port": "midi",
            "name": self.name,
            "state": self.life,
            "text": self.text,
            "in": self.in_name or None,
            "out": self.out_name or None,
            "received": self.received,
            "sent": self.sent,
            "bad": self.bad,
            "unknown": self.unknown,
            "lost": self.lost,
            "waiting": len(self.pending) + len(self.events),
        }
