"""The network is cut while fingers drag: what comes over a second late changes nothing, and all agree afterwards.

Tablets are the page's own client, each behind a proxy of its own; a value is the time of its move. Every change that
the daemon makes is seen on OSC, at once and unmerged.
"""

import asyncio
import os
import random
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.peers import free_udp_port
from tests.proxy import Proxy
from tests.tablets import Tablets
from tests.waiting import SOON_S

TABLETS = 40
ROUNDS = 5 if not os.environ.get("STAGEBRIDGE_LONG") else 40
SEED = int(os.environ.get("STAGEBRIDGE_SEED", "3"))
LATE_S = 1.0
SLACK_S = 0.12
"""Two loaded cores between the move and the clock that says when it took effect."""
HZ = 30.0

pytestmark = [pytest.mark.waits, pytest.mark.timeout(120 * max(1, ROUNDS // 5))]


@dataclass
class Effects:
    """What changed in the daemon: when, where, and when the move had been made; from its OSC output."""

    sock: socket.socket
    zero: float
    last: dict[str, int] = field(default_factory=dict)
    ages: list[tuple[float, str]] = field(default_factory=list)

    def read(self) -> None:
        now = time.monotonic()
        packet = self.sock.recv(2048)
        address, _, rest = packet.partition(b"\0")
        assert b",i\0\0" in rest
        (value,) = struct.unpack(">i", packet[-4:])
        self.last[address.decode()] = value
        self.ages.append((now - self.zero - value / 1000, address.decode()))


@dataclass
class Stage:
    daemon: Daemon
    tablets: Tablets
    proxies: list[Proxy]
    effects: Effects

    async def until_all_agree(self, numbers: list[int]) -> None:
        """Those tablets are online and show what the daemon has, which is what OSC heard last."""
        waiting = set(numbers)
        while waiting:
            for number in list(waiting):
                path = f"/fader/{number}"
                seen = self.tablets.look(f"t{number}", path)
                if seen["state"] == "online" and seen["value"] == self.effects.last.get(path, 0):
                    waiting.discard(number)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def staged(tmp_path: Path, count: int) -> AsyncIterator[Stage]:
    osc_port = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        config = f"""
[auth]
mode = "open"

[[osc]]
name = "ear"
listen = "127.0.0.1:{osc_port}"
send = ["127.0.0.1:{sock.getsockname()[1]}"]

[[control]]
repeat = {count}
path = "/fader/{{n0}}"
kind = "int"
range = [0, 2000000000]
"""
        effects = Effects(sock, time.monotonic())
        loop = asyncio.get_running_loop()
        loop.add_reader(sock, effects.read)
        try:
            with Daemon.start(config, tmp_path) as daemon, Tablets.start() as tablets:
                async with AsyncExitStack() as stack:
                    proxies = [await stack.enter_async_context(Proxy.start(daemon.http_port)) for _ in range(count)]
                    yield Stage(daemon, tablets, proxies, effects)
        finally:
            loop.remove_reader(sock)


async def cut_once(stage: Stage, number: int, chance: random.Random) -> str:
    """One drag, cut at some phase of it, with the page left alone, reloaded or closed; then the network is back."""
    name, path, proxy = f"t{number}", f"/fader/{number}", stage.proxies[number]
    what = chance.choice(("alive", "reloaded", "closed"))
    cut_s = chance.choice((chance.uniform(0.2, 1.5), chance.uniform(1.1, 3.4)))
    stage.tablets.drag(name, path, stage.effects.zero, HZ)
    await asyncio.sleep(chance.uniform(0.05, 0.4))
    proxy.cut()
    gone_s = chance.uniform(0.05, cut_s)
    if what == "alive":
        await asyncio.sleep(cut_s)
    else:
        await asyncio.sleep(gone_s)
        stage.tablets.do("reload" if what == "reloaded" else "close", name=name)
        await asyncio.sleep(cut_s - gone_s)
    proxy.mend()
    await asyncio.sleep(0.3)
    stage.tablets.do("lift", name=name)
    if what == "closed":
        stage.tablets.open(name, f"ws://127.0.0.1:{proxy.port}/ws")
    return what


async def test_two_hundred_cuts_in_the_middle_of_a_drag(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    async with staged(tmp_path, TABLETS) as stage:
        everyone = list(range(TABLETS))
        for number in everyone:
            stage.tablets.open(f"t{number}", f"ws://127.0.0.1:{stage.proxies[number].port}/ws")
        await stage.until_all_agree(everyone)
        for turn in range(ROUNDS):
            dice = [random.Random(chance.random()) for _ in everyone]
            whats = await asyncio.gather(*(cut_once(stage, number, dice[number]) for number in everyone))
            async with asyncio.timeout(SOON_S):
                await stage.until_all_agree(everyone)
            too_late = [(round(age, 3), path) for age, path in stage.effects.ages if age > LATE_S + SLACK_S]
            assert not too_late, (SEED, turn, whats, too_late)
        refused = stage.daemon.request("GET", "/healthz")[1]["stale"]
        late = sum(age > 0.25 for age, _ in stage.effects.ages)
        print(f"{len(stage.effects.ages)} moves took effect, {late} of them late, {refused} were refused as stale")
        assert refused > TABLETS  # else nothing was proven
        assert late > TABLETS
