"""OSC packets in a stream of bytes: SLIP (OSC 1.1) and a length before each packet (OSC 1.0). Pure.

A reader takes bytes as they come and gives whole packets. What is between two packets and is none is junk: SLIP
finds its way again at the next END and counts it; after a wrong length nothing in the stream can be trusted.
"""

from __future__ import annotations

import re
import struct
from typing import Protocol

from bridge.errors import OscError

from .codec import MAX_PACKET

# RFC 1055
_END, _ESC = b"\xc0", b"\xdb"
_ESC_END, _ESC_ESC = b"\xdb\xdc", b"\xdb\xdd"
_MAX_FRAME = 2 * MAX_PACKET  # every byte may be escaped
_SIZE = struct.Struct(">i")
_ENDS = re.compile(rb"\xc0{2,}")

MAX_JUNK = 64
"""Frames that are none, in what comes at one time: who sends so many speaks something else."""


class FrameReader(Protocol):
    """One direction of one connection."""

    junk: int
    """Frames that were none."""
    error: OscError | None
    """Why the stream cannot be read on, and where in it; None while it can."""

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are whole now. Of others at most twice MAX_PACKET is kept. Work is linear in the bytes."""


def slip(packet: bytes) -> bytes:
    """OSC 1.1: END before and after each packet, so that noise before it is a frame of its own."""
    if _ESC in packet:
        packet = packet.replace(_ESC, _ESC_ESC)
    return _END + packet.replace(_END, _ESC_END) + _END


def sized(packet: bytes) -> bytes:
    """OSC 1.0: the size in 32 bits, then the packet."""
    return _SIZE.pack(len(packet)) + packet


class SlipReader:
    """SLIP; one END between packets is enough."""

    def __init__(self) -> None:
        self.junk = 0
        self.error: OscError | None = None
        self._rest = bytearray()
        self._is_lost = False  # in a frame that is too long: until its end

    def feed(self, data: bytes) -> list[bytes]:
        if self.error is not None:
            return []
        *ended, rest = _ENDS.sub(_END, data).split(_END)
        packets: list[bytes] = []
        most = self.junk + MAX_JUNK
        for part in ended:
            if self._rest or self._is_lost:
                self._keep(part)
                part = bytes(self._rest)
                self._rest.clear()
                if self._is_lost:
                    self._is_lost = False
                    continue
            if part:
                packet = _unescaped(part)
                if packet is None:
                    self.junk += 1
                    if self.junk >= most:
                        self.error = OscError(0, f"{MAX_JUNK} frames at once that are no SLIP")
                        return packets
                else:
                    packets.append(packet)
        if rest:
            self._keep(rest)
        return packets

    def _keep(self, part: bytes) -> None:
        if not self._is_lost and len(self._rest) + len(part) > _MAX_FRAME:
            self._is_lost = True
            self.junk += 1
        if self._is_lost:
            self._rest.clear()
        else:
            self._rest += part


def _unescaped(frame: bytes) -> bytes | None:
    """None for what no sender of SLIP writes."""
    if _ESC not in frame:
        return frame
    first, *others = frame.split(_ESC)
    parts = [first]
    for other in others:
        if other[:1] == b"\xdc":
            parts.append(_END)
        elif other[:1] == b"\xdd":
            parts.append(_ESC)
        else:
            return None
        parts.append(other[1:])
    return b"".join(parts)


class SizeReader:
    """A length before each packet."""

    def __init__(self) -> None:
        self.junk = 0
        self.error: OscError | None = None
        self._rest = bytearray()
        self._at = 0  # in the stream, of what is kept

    def feed(self, data: bytes) -> list[bytes]:
        packets: list[bytes] = []
        if self.error is not None:
            return packets
        source: bytes | bytearray = data
        if self._rest:
            self._rest += data
            source = self._rest
        start = 0
        while len(source) - start >= 4:
            (size,) = _SIZE.unpack_from(source, start)
            if not 0 < size <= MAX_PACKET or size & 3:
                self.junk += 1
                self.error = OscError(self._at + start, _why_no_size(size, bytes(source[start : start + 4])))
                self._rest.clear()
                return packets
            end = start + 4 + size
            if end > len(source):
                break
            packets.append(bytes(source[start + 4 : end]))
            start = end
        if source is data:
            self._rest += data[start:]
        else:
            del self._rest[:start]
        self._at += start
        return packets


def _why_no_size(size: int, four: bytes) -> str:
    if four[:1] in (_END, b"/", b"#"):
        return f"{four!r} is no length: does the peer speak SLIP?"
    return f"a packet's length must be a multiple of 4 up to {MAX_PACKET}, not {size}"
