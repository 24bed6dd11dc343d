"""The floor: what the loop and the kernel cost alone. Started as a program it is the server.

A datagram is written to every socket as one ready frame (its bytes, so that what arrives can be recognised); a
WebSocket frame is written out as a datagram, and to the other sockets. No HTTP but the upgrade, no state, no check.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys

if __name__ != "__main__":
    from . import Adapter, Browser, Plan, python, wire

    class Floor(Adapter):
        name = "floor"
        title = "floor (bare uvloop)"
        can = frozenset({"osc in", "osc out", "peers"})
        udp_bytes = 4_000_000

        def command(self, plan: Plan) -> list[str]:
            return python(__file__, str(plan.http_port), str(plan.osc_in), str(plan.osc_out))

        def heard(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
            found = wire.osc_read(payload)
            if found is not None:
                browser.saw(*found, now)

        def move(self, browser: Browser, control: int, step: int, now: float) -> None:
            browser.send(wire.osc_message(control, step), wire.BINARY)


sockets: set[asyncio.Transport] = set()
out: asyncio.DatagramTransport


class Udp(asyncio.DatagramProtocol):
    def datagram_received(self, data: bytes, addr: object) -> None:
        frame = b"\x82" + bytes((len(data),)) + data
        for transport in sockets:
            transport.write(frame)


class Ws(asyncio.Protocol):
    def __init__(self) -> None:
        self.is_open = False
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if not self.is_open:
            self.upgrade(data)
            return
        data = self.rest + data
        while len(data) >= 2 and len(data) >= (end := 6 + (data[1] & 127)):
            if data[0] & 15 == 2:
                payload = data[6:end]
                out.sendto(payload)
                frame = b"\x82" + bytes((len(payload),)) + payload
                for transport in sockets:
                    if transport is not self.transport:
                        transport.write(frame)
            data = data[end:]
        self.rest = data

    def upgrade(self, data: bytes) -> None:
        key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.is_open = True
        sockets.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        sockets.discard(self.transport)


async def main(http_port: int, osc_in: int, osc_out: int) -> None:
    global out
    import socket

    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind(("127.0.0.1", osc_in))
    await loop.create_datagram_endpoint(Udp, sock=sock)
    out, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", osc_out))
    await loop.create_server(Ws, "127.0.0.1", http_port, backlog=512)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*map(int, sys.argv[1:])))
