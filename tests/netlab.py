"""A bad network that only this machine sees: two network namespaces, and between them a relay of our own.

    with Lab.make() as lab:
        lab.shape(delay_s=0.01, rate=60_000)
        with lab.inside("server"):
            ...  # sockets and processes made here live at SERVER

Each namespace has one TUN device; what is sent into one comes out of the other after the delay, at the rate, or not at
all while the link is cut. TCP sees real loss and sends again, which no proxy shows. Needs root and iproute2, on Linux.
Run as a program this file is the relay: a process of its own, so that a busy test does not become a slow network.
"""

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

SERVER = "10.77.0.1"
TABLET = "10.77.0.2"
QUEUE_BYTES = 64 * 1024
"""What the link keeps waiting in each direction before it drops: a second and more at 60 kB/s, as real ones do."""
COMMAND_S = 20.0
Side = Literal["server", "tablet"]

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000


def reason_against() -> str | None:
    """Why there can be no lab here; None if there can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root: a plain proxy is tested instead"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    name = f"sbprobe{os.getpid()}"
    try:
        _ip("netns", "add", name)
    except FileNotFoundError:
        return "ip is not installed: sudo apt install --no-install-recommends iproute2"
    except subprocess.CalledProcessError as exc:
        return f"this kernel or container makes no network namespaces: {exc.stderr.strip()}"
    _ip("netns", "del", name)
    return None


class Lab:
    """Two namespaces and the relay between them."""

    def __init__(self, names: dict[Side, str]) -> None:
        self._names = names
        self._relay: subprocess.Popen[str] | None = None

    @classmethod
    @contextmanager
    def make(cls) -> Iterator[Self]:
        """Both ends up, the link perfect. At the end, whatever happens, nothing of it is left."""
        sides: tuple[Side, Side] = ("server", "tablet")
        lab = cls({side: f"sb{os.getpid()}{side[0]}" for side in sides})
        with contextlib.ExitStack() as stack:
            for name in lab._names.values():
                _ip("netns", "add", name)
                stack.callback(_ip, "netns", "del", name)
                _ip("-n", name, "link", "set", "lo", "up")
            lab._relay = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-S", __file__, *lab._names.values()],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(lab._relay.kill)
            assert lab._answer() == {"ready": True}
            for side in sides:
                _ip("-n", lab._names[side], "link", "set", "sb0", "mtu", "1500", "up")
                lab.plug(side)
            yield lab

    def plug(self, side: Side) -> None:
        """Give it its address, and the way to everywhere."""
        own, other = (SERVER, TABLET) if side == "server" else (TABLET, SERVER)
        _ip("-n", self._names[side], "addr", "add", own, "peer", other, "dev", "sb0")
        _ip("-n", self._names[side], "route", "add", "default", "dev", "sb0")

    def unplug(self, side: Side) -> None:
        """Take its address away."""
        _ip("-n", self._names[side], "addr", "flush", "dev", "sb0", "scope", "global")

    @contextmanager
    def inside(self, side: Side) -> Iterator[None]:
        """Sockets and processes made in this block live in that namespace. Nothing may be awaited in it."""
        with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", self._names[side]).open() as away:
            _enter(away.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def shape(self, *, delay_s: float = 0.0, rate: float | None = None, queue: int = QUEUE_BYTES) -> None:
        """Delay in each direction, bytes per second in each direction (None: any), bytes that may wait."""
        self._tell(delay_s=delay_s, rate=rate, queue=queue)

    def cut(self) -> None:
        """From now on every packet is lost, those under way too."""
        self._tell(is_cut=True)

    def mend(self) -> None:
        """Packets pass again."""
        self._tell(is_cut=False)

    def first_payload_at(self) -> dict[str, float | None]:
        """When the first TCP payload after the last ``mend`` was delivered to the "server" and to the "tablet"."""
        return self._tell()["first"]  # type: ignore[no-any-return]

    def _tell(self, **command: Any) -> dict[str, Any]:
        assert self._relay is not None
        assert self._relay.stdin is not None
        self._relay.stdin.write(json.dumps(command) + "\n")
        self._relay.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._relay is not None
        assert self._relay.stdout is not None
        ready, _, _ = select.select([self._relay.stdout], [], [], COMMAND_S)
        line = self._relay.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError("the relay does not answer")
        return json.loads(line)  # type: ignore[no-any-return]


def _ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True, timeout=COMMAND_S)


def _enter(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is Python 3.12's
    if libc.setns(fd, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


# The relay


class Link:
    """One direction. Packets in, and out again when they are due."""

    def __init__(self, source: int, sink: int, to: Side) -> None:
        self.source = source
        self.to = to
        self.first: float | None = None
        self._sink = sink
        self._due: list[tuple[float, int, bytes]] = []
        self._number = 0
        self._free_at = 0.0
        self._leaving: list[tuple[float, int]] = []  # (leaves the queue at, bytes), oldest first

    def take(self, packet: bytes, now: float, state: dict[str, Any]) -> None:
        leaves = now
        if state["rate"]:
            while self._leaving and self._leaving[0][0] <= now:
                self._leaving.pop(0)
            if sum(size for _, size in self._leaving) + len(packet) > state["queue"]:
                return
            leaves = self._free_at = max(now, self._free_at) + len(packet) / state["rate"]
            self._leaving.append((leaves, len(packet)))
        self._number += 1
        heapq.heappush(self._due, (leaves + state["delay_s"], self._number, packet))

    def deliver(self, now: float) -> float | None:
        """Hand over what is due; when the next is."""
        while self._due and self._due[0][0] <= now:
            packet = heapq.heappop(self._due)[2]
            if self.first is None and _has_payload(packet):
                self.first = now
            with contextlib.suppress(OSError):  # the device is down, or full: lost, as packets are
                os.write(self._sink, packet)
        return self._due[0][0] if self._due else None

    def lose(self) -> None:
        self._due.clear()
        self._leaving.clear()
        self._free_at = 0.0


def _has_payload(packet: bytes) -> bool:
    if packet[0] >> 4 != 4 or packet[9] != 6:
        return False
    header = (packet[0] & 15) * 4
    return int(struct.unpack_from(">H", packet, 2)[0]) > header + (packet[header + 12] >> 4) * 4


def _tun(namespace: str) -> int:
    with Path("/run/netns", namespace).open() as away:
        _enter(away.fileno())
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", b"sb0", _IFF_TUN | _IFF_NO_PI))
    return fd


def relay(server: str, tablet: str) -> None:
    """Until stdin ends."""
    ends = _tun(server), _tun(tablet)
    down, up = Link(ends[0], ends[1], "tablet"), Link(ends[1], ends[0], "server")
    links = {down.source: down, up.source: up}
    state: dict[str, Any] = {"delay_s": 0.0, "rate": None, "queue": QUEUE_BYTES, "is_cut": False}
    poller = select.epoll()
    for fd in (*links, 0):
        poller.register(fd, select.EPOLLIN)
    print('{"ready": true}', flush=True)
    while True:
        now = time.monotonic()
        nexts = [at for link in links.values() if (at := link.deliver(now)) is not None]
        for fd, _ in poller.poll(max(0.0, min(nexts) - time.monotonic()) if nexts else 10.0):
            if fd == 0:
                line = sys.stdin.readline()
                if not line:
                    return
                state.update(json.loads(line))
                if '"is_cut"' in line:
                    for link in links.values():
                        link.lose()
                        link.first = None
                print(json.dumps({"first": {link.to: link.first for link in links.values()}}), flush=True)
                continue
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = os.read(fd, 65536)
                    if not state["is_cut"]:
                        links[fd].take(packet, time.monotonic(), state)


if __name__ == "__main__":
    relay(*sys.argv[1:3])
