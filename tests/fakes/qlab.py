"""A QLab workspace, as far as its network socket shows it: OSC over TCP with SLIP or over UDP, JSON in every reply.

- over UDP every reply goes to one fixed port of the asker's computer (53001), wherever the question came from;
- a UDP client that is not heard for a while is forgotten, and nobody is told: `/thump` keeps it;
- a reply to `/x` is `/reply/x` with one text: `{"workspace_id", "address", "status", "data"}`;
- with a passcode everything but `/connect`, `/version` and `/thump` is denied until `/connect` brought it;
- an address without arguments asks; with one it sets, and is answered only after `/alwaysReply 1`;
- after `/updates 1` a change is told as `/update/workspace/…/cue_id/…`: which cue has changed, never to what.
"""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.waiting import SOON_S

from .x32 import pack, parse

FORGET_UDP_S = 31.0
REPLY_PORT = 53001
END, ESC, ESC_END, ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"
COMMANDS = ("/go", "/panic", "/pause", "/resume", "/stop", "/reset")
WORKSPACE = "8B2A6B1C-0E41-4B0B-9E6C-DEC0DE000000"


class Client:
    """One TCP connection, or one computer on UDP."""

    def __init__(self, send: Callable[[bytes], None], is_let_in: bool) -> None:
        self.send = send
        self.is_let_in = is_let_in
        self.wants_updates = False
        self.always_reply = False
        self.heard_at = 0.0


class QLab:
    """One workspace. ``cues`` are their properties by cue number; they outlive the program."""

    def __init__(
        self,
        cues: dict[str, dict[str, Any]],
        passcode: str = "",
        reply_port: int = REPLY_PORT,
        forget_udp_s: float = FORGET_UDP_S,
    ) -> None:
        self.cues = cues
        self.passcode = passcode
        self.reply_port = reply_port
        self.forget_udp_s = forget_udp_s
        self.port = 0
        """TCP and UDP."""
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self.started: list[str] = []
        """Numbers of cues, in the order in which they were started."""
        self.commands: list[str] = []
        """What the whole workspace was told to do."""
        self._server: asyncio.Server | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._connections: dict[asyncio.StreamWriter, Client] = {}
        self._computers: dict[str, Client] = {}
        self._moved = asyncio.Event()

    # The program

    async def open(self) -> None:
        """Listen; on the port that it had, if it has been open before."""
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: Datagrams(self), local_addr=("127.0.0.1", self.port))

    async def quit(self) -> None:
        """Every connection breaks, and every client is forgotten."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()
        await self.reaches(lambda: not self._connections)
        if self._udp is not None:
            self._udp.abort()
        self._server = self._udp = None
        self._computers.clear()

    def change(self, number: str, what: str, value: Any) -> None:
        """A hand at the program itself."""
        self.cues[number][what] = value
        self._tell(number)
        self._moved.set()

    async def reaches(self, is_so: Callable[[], bool]) -> None:
        """Return when `is_so()`, which is asked after all that comes in. Raises AssertionError with what was heard."""
        try:
            async with asyncio.timeout(SOON_S):
                while not is_so():
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise AssertionError(f"not so: {self.cues}, started {self.started}, heard {self.heard}") from None

    @property
    def clients(self) -> list[Client]:
        """Who is connected now; on UDP, who was heard of late."""
        self._forget_silent()
        return [*self._connections.values(), *self._computers.values()]

    def _forget_silent(self) -> None:
        since = asyncio.get_running_loop().time() - self.forget_udp_s
        self._computers = {host: one for host, one in self._computers.items() if one.heard_at > since}

    # Its network sockets

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(lambda packet: writer.write(framed(packet)), not self.passcode)
        self._connections[writer] = client
        self._moved.set()
        frames = Frames()
        try:
            while data := await reader.read(65536):
                for packet in frames.feed(data):
                    self.take(packet, client)
        except ConnectionError:
            pass
        finally:
            del self._connections[writer]
            writer.close()
            self._moved.set()

    def heard_from(self, data: bytes, host: str) -> None:
        """A datagram."""
        self._forget_silent()
        udp = self._udp
        assert udp is not None
        if host not in self._computers:
            self._computers[host] = Client(
                lambda packet: udp.sendto(packet, (host, self.reply_port)), not self.passcode
            )
        self.take(data, self._computers[host])

    def take(self, packet: bytes, client: Client) -> None:
        """One packet: a message, or a bundle of them."""
        client.heard_at = asyncio.get_running_loop().time()
        for element in opened(packet):
            for address, _, args in parse(element):
                self.heard.append((address, args))
                self._obey(address, args, client)
        self._moved.set()

    def _obey(self, address: str, args: tuple[Any, ...], client: Client) -> None:
        path = address.removeprefix(f"/workspace/{WORKSPACE}")
        if path == "/version":
            self._reply(client, address, "5.4.1")
        elif path == "/thump":
            self._reply(client, address, "thump")
        elif path == "/connect":
            client.is_let_in = not self.passcode or args == (self.passcode,)
            self._reply(client, address, "ok:view|edit|control" if client.is_let_in else "badpass")
        elif not client.is_let_in:
            self._reply(client, address, None, "denied")
        elif path in ("/updates", "/alwaysReply"):
            setattr(client, "wants_updates" if path == "/updates" else "always_reply", bool(args and args[0]))
            self._answer(client, address)
        elif path == "/workspaces":
            self._reply(client, address, [{"uniqueID": WORKSPACE, "displayName": "Show", "hasPasscode": False}])
        elif path in COMMANDS:
            self.commands.append(path)
            self._answer(client, address)
        else:
            self._cue(path, address, args, client)

    def _cue(self, path: str, address: str, args: tuple[Any, ...], client: Client) -> None:
        _, kind, number, what = (*path.split("/", 3), "", "", "")[:4]
        if kind != "cue" or number not in self.cues:
            self._reply(client, address, None, "error")
        elif what in ("start", "go"):
            self.started.append(number)
            self._answer(client, address)
            self._tell(number)
        elif what not in self.cues[number]:
            self._reply(client, address, None, "error")
        elif not args:
            self._reply(client, address, self.cues[number][what])
        else:
            self.cues[number][what] = args[0]
            self._answer(client, address)
            self._tell(number)

    def _answer(self, client: Client, address: str) -> None:
        if client.always_reply:
            self._reply(client, address, None)

    def _reply(self, client: Client, address: str, data: Any, status: str = "ok") -> None:
        said = {"workspace_id": WORKSPACE, "address": address, "status": status}
        client.send(pack(f"/reply{address}", "s", (json.dumps(said if data is None else {**said, "data": data}),)))

    def _tell(self, number: str) -> None:
        for client in self.clients:
            if client.wants_updates:
                client.send(pack(f"/update/workspace/{WORKSPACE}/cue_id/{number}", "", ()))


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, qlab: QLab) -> None:
        self._qlab = qlab

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._qlab.heard_from(data, addr[0])


@asynccontextmanager
async def opened_workspace(
    cues: dict[str, dict[str, Any]],
    passcode: str = "",
    reply_port: int = REPLY_PORT,
    forget_udp_s: float = FORGET_UDP_S,
) -> AsyncIterator[QLab]:
    """QLab on a free port of 127.0.0.1."""
    qlab = QLab(cues, passcode, reply_port, forget_udp_s)
    await qlab.open()
    try:
        yield qlab
    finally:
        await qlab.quit()


# Its framing (RFC 1055, with an END before and after, as OSC 1.1 has it) and its bundles


def framed(packet: bytes) -> bytes:
    return END + packet.replace(ESC, ESC_ESC).replace(END, ESC_END) + END


class Frames:
    """Bytes of one connection → packets."""

    def __init__(self) -> None:
        self._open = b""

    def feed(self, data: bytes) -> list[bytes]:
        *whole, self._open = (self._open + data).split(END)
        return [one.replace(ESC_END, END).replace(ESC_ESC, ESC) for one in whole if one]


def opened(packet: bytes) -> list[bytes]:
    """The messages of a packet, in order."""
    if not packet.startswith(b"#bundle\0"):
        return [packet]
    found, at = [], 16
    while at + 4 <= len(packet):
        (size,) = struct.unpack_from(">i", packet, at)
        found += opened(packet[at + 4 : at + 4 + size])
        at += 4 + size
    return found
