"""Bytes of WebSocket clients and of OSC messages, as cheap as they can be had. No sockets."""

from __future__ import annotations

import struct
from collections.abc import Iterator

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_NO_MASK = b"\0\0\0\0"  # RFC 6455 wants a mask; masking with zero is masking


def upgrade(path: str, port: int) -> bytes:
    """The request that opens a WebSocket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One frame from a client."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size)) + _NO_MASK + payload
    return bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big") + _NO_MASK + payload


def server_frames(data: bytes | bytearray) -> Iterator[tuple[int, bytes | bytearray, int]]:
    """(opcode, payload, where the next one begins) of each whole frame in what a server has sent."""
    at, end = 0, len(data)
    while end - at >= 2:
        size = data[at + 1]
        start = at + 2
        if size == 126:
            size = int.from_bytes(data[start : start + 2], "big")
            start += 2
        elif size == 127:
            size = int.from_bytes(data[start : start + 8], "big")
            start += 8
        if start + size > end:
            return
        opcode = data[at] & 15
        at = start + size
        yield opcode, data[start:at], at


def path(control: int) -> str:
    """The path of a control of the benchmark."""
    return f"/bench/channel/{control:04}/volume"


def osc_head(control: int) -> bytes:
    """Everything of an OSC message with one float but the float."""
    address = path(control).encode()
    return address + b"\0" * (4 - len(address) % 4) + b",f\0\0"


def osc_message(control: int, value: float) -> bytes:
    """One OSC message."""
    return osc_head(control) + _FLOAT(value)


def osc_read(packet: bytes | bytearray) -> tuple[int, int] | None:
    """(control, step) of one of our messages; None for any other."""
    if packet[:15] != b"/bench/channel/" or len(packet) < 20:
        return None
    return int(packet[15:19]), round(_UNFLOAT(packet, len(packet) - 4)[0])


_FLOAT = struct.Struct(">f").pack
_UNFLOAT = struct.Struct(">f").unpack_from
