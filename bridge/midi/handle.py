"""One MIDI peer in an operator's hands: how far values have come, everything again, one message as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.errors import BadValue, PortError

from .codec import Message, decode, encode
from .outgoing import Outbox
from .peer import MidiPeer

FORMS = "/note/CHANNEL/NUMBER, /cc/CHANNEL/NUMBER, /program/CHANNEL, /pressure/CHANNEL or /bend/CHANNEL and a number"


class MidiHandle:
    """See ``port.PeerHandle``."""

    def __init__(self, peer: MidiPeer, out: Outbox) -> None:
        self._peer = peer
        self._out = out

    @property
    def learnt(self) -> Sequence[str]:
        """A MIDI device teaches no controls."""
        return ()

    @property
    def mirrors(self) -> bool:
        """Controls go to it by their bindings alone."""
        return False

    @property
    def reach(self) -> Mapping[str, str]:
        """How far the value of each control that goes to it has come, by path: silent, waiting, unsent or sent."""
        peer, found = self._peer, {}
        for routes in peer.routes.speakers.values():
            for route in routes:
                if route.act == "fire":
                    continue
                state = (
                    "silent" if not peer.out_name
                    else "waiting" if route in peer.pending
                    else "sent" if route in peer.shows or route.act == "clock" or route in peer.moved_at
                    else "unsent"
                )  # fmt: skip
                found[route.entry.path] = state
        return found

    def push(self) -> int:
        """Send it every value, at its pace; how many. Raises PortError where it is not there."""
        if not self._peer.out_name:
            raise PortError(f"{self._peer.name} cannot be sent anything: {self._peer.text}")
        return self._out.push()

    def send(self, address: str, args: Sequence[Any]) -> int:
        """Send it one message, written as the monitor shows it: ``/cc/1/7`` and a value. Raises BadValue, PortError."""
        try:
            data = _message(address, args)
        except ValueError as exc:
            raise BadValue(f"{address}: {exc}: write {FORMS}, or /sysex and its bytes in hex") from exc
        if not self._peer.out_name:
            raise PortError(f"{self._peer.name} cannot be sent anything: {self._peer.text}")
        if not self._out.send([data]):
            raise PortError(f"midi {self._peer.name}: too much waits to be sent")
        return 1


def _message(address: str, args: Sequence[Any]) -> bytes:
    kind, *numbers = address.strip("/").split("/")
    if kind == "sysex" and len(args) == 1 and isinstance(args[0], str):
        return encode(decode(b"\xf0" + bytes.fromhex(args[0]) + b"\xf7"))
    channel, number = [int(text) for text in [*numbers, "0"][:2]] if numbers else (0, 0)
    if len(numbers) > 2 or len(args) != 1 or isinstance(args[0], bool) or not isinstance(args[0], (int, float)):
        raise ValueError("no such message")
    value = round(args[0])
    match kind:
        case "note":
            return encode(Message("note_on", channel, number, value))
        case "cc" | "program" | "pressure" | "bend" | "poly":
            return encode(Message(kind, channel, number, value))
    raise ValueError("no such message")
