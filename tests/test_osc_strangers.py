"""Who may speak OSC to us, and how much of it: from addresses that are foreign for real, in network namespaces."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest
import uvloop

from bridge.allowance import Meter
from bridge.osc.codec import IMMEDIATELY, encode_bundle, encode_message
from bridge.osc.sources import MAX_SOURCES

from . import netlab
from .daemon import Daemon
from .netlab import Lab, Side
from .test_osc import Bridge, level
from .waiting import SOON_S, until

LOOPS = {"uvloop": uvloop.new_event_loop}
OWN, FOREIGN = "203.0.113.1", "203.0.113.2"  # RFC 5737: of no private network
PRIVATE = netlab.TABLET
CONFIG = """
[[osc]]
name = "default"
listen = "0.0.0.0:7001"

[[osc]]
name = "named"
listen = "0.0.0.0:7002"
send = ["203.0.113.2:9"]

[[osc]]
name = "strict"
listen = "0.0.0.0:7003"
allow = ["10.77.0.0/24"]

[[osc]]
name = "tcp"
listen = "0.0.0.0:7004"
transport = "tcp-length"

[[osc]]
name = "choosy"
listen = "127.0.0.1:7005"

[[osc]]
name = "flooded"
listen = "0.0.0.0:7006"
flood = 200

[[control]]
path = "/x"
range = [0, 1000000]
step = 1

[[control]]
path = "/friend"
range = [0, 1000000]
step = 1
"""


class Stage:
    """A daemon at one end of a link, and whoever speaks to it from the other, or beside it."""

    def __init__(self, lab: Lab, daemon: Daemon) -> None:
        self.lab = lab
        self.daemon = daemon
        self._value = 0

    def socket(self, side: Side, host: str, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        with self.lab.inside(side):
            sock = socket.socket(socket.AF_INET, kind)
            sock.bind((host, 0))
            sock.settimeout(SOON_S)
        return sock

    def peer(self, name: str) -> dict[str, Any]:
        with self.lab.inside("server"):
            peers = self.daemon.request("GET", "/healthz")[1]["peers"]
        return next(peer for peer in peers if peer["name"] == name)

    def value(self, path: str) -> Any:
        with self.lab.inside("server"):
            return self.daemon.value(path)

    def hears(self, side: Side, host: str, port: int, peer: str, to: str = netlab.SERVER) -> bool:
        """Whether a message from there moves the control, or is refused."""
        self._value += 1
        before = self.peer(peer)["refused"]["allow"]
        with closing(self.socket(side, host)) as sock:
            deadline = time.monotonic() + SOON_S
            while time.monotonic() < deadline:
                sock.sendto(encode_message("/x", (self._value,)), (to, port))
                if self.value("/x") == self._value:
                    return True
                if self.peer(peer)["refused"]["allow"] > before:
                    return False
                time.sleep(0.01)
        raise AssertionError("neither heard nor refused")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if (reason := netlab.reason_against()) is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        lab = stack.enter_context(Lab.make())
        for side, address in (("server", OWN), ("tablet", FOREIGN)):
            subprocess.run(["ip", "-n", lab._names[side], "addr", "add", f"{address}/24", "dev", "sb0"], check=True)
        with lab.inside("server"):
            daemon = stack.enter_context(Daemon.start(CONFIG, tmp_path_factory.mktemp("strangers")))
        yield Stage(lab, daemon)


def test_private_networks_and_this_machine_are_let_in_and_nobody_else(stage: Stage) -> None:
    assert stage.hears("tablet", PRIVATE, 7001, "default")
    assert stage.hears("server", "127.0.0.1", 7001, "default", "127.0.0.1")
    assert stage.hears("server", OWN, 7001, "default", OWN)
    assert not stage.hears("tablet", FOREIGN, 7001, "default")
    assert stage.daemon.stderr.count(f"heard {FOREIGN}, which allow of no [[osc]] table lets in") == 1


def test_a_host_that_the_table_names_is_let_in_wherever_it_is(stage: Stage) -> None:
    assert stage.hears("tablet", FOREIGN, 7002, "named")


def test_allow_says_who_is_let_in_and_nobody_else_not_even_this_machine(stage: Stage) -> None:
    assert stage.hears("tablet", PRIVATE, 7003, "strict")
    assert not stage.hears("server", "127.0.0.1", 7003, "strict", "127.0.0.1")
    assert not stage.hears("server", OWN, 7003, "strict", OWN)


def test_a_stranger_may_not_connect_over_tcp(stage: Stage) -> None:
    with closing(stage.socket("tablet", FOREIGN, socket.SOCK_STREAM)) as foreign:
        foreign.connect((netlab.SERVER, 7004))
        with suppress(ConnectionResetError):
            assert foreign.recv(1) == b""  # closed, either way
    assert stage.peer("tcp")["refused"]["allow"] == 1
    with closing(stage.socket("tablet", PRIVATE, socket.SOCK_STREAM)) as friend:
        friend.connect((netlab.SERVER, 7004))
        packet = encode_message("/x", (777,))
        friend.sendall(len(packet).to_bytes(4, "big") + packet)
        until(lambda: stage.value("/x") == 777)


def test_a_listening_address_is_a_choice(stage: Stage) -> None:
    assert stage.hears("server", "127.0.0.1", 7005, "choosy", "127.0.0.1")
    with closing(stage.socket("tablet", PRIVATE)) as sock:
        sock.connect((netlab.SERVER, 7005))
        deadline = time.monotonic() + SOON_S
        with pytest.raises(ConnectionRefusedError):  # "port unreachable": nobody listens at that address
            while time.monotonic() < deadline:
                sock.send(encode_message("/x", (1,)))
                time.sleep(0.01)


@pytest.mark.alone
def test_a_strangers_flood_keeps_nobody_from_being_heard(stage: Stage) -> None:
    packet, late, friends, began = encode_message("/x", (5,)), [], 0, time.monotonic()

    def counted() -> dict[str, Any]:
        """What the peer says of itself, with all that it has counted of what came."""
        peer = stage.peer("flooded")
        return peer | {"came": peer["received"] + peer["refused"]["flood"] + peer["dropped"]}

    with closing(stage.socket("tablet", PRIVATE)) as flood, closing(stage.socket("server", "127.0.0.1")) as friend:
        for number in range(1, 21):
            for _ in range(400):
                flood.sendto(packet, (netlab.SERVER, 7006))
            moved = time.monotonic()
            while stage.value("/friend") != number:
                assert time.monotonic() < moved + SOON_S
                friend.sendto(encode_message("/friend", (number,)), ("127.0.0.1", 7006))
                friends += 1
                time.sleep(0.005)
            late.append(time.monotonic() - moved)
        assert sorted(late)[10] < 0.2
        while (peer := counted())["came"] < 8000:  # the link may lose some, if nobody gives the relay time to run
            assert time.monotonic() < began + SOON_S
            flood.sendto(packet, (netlab.SERVER, 7006))
            time.sleep(0.001)
    let_in = 200 + 200 * (time.monotonic() - began)  # 200 at once, 200 a second
    assert 200 <= peer["received"] <= let_in + friends
    assert peer["refused"]["flood"] >= 8000 - peer["dropped"] - let_in - friends
    assert stage.daemon.stderr.count(f"more than 200 messages a second from {PRIVATE}") == 1


def test_a_meter_gives_its_rate_over_time_and_forgives_what_it_refused() -> None:
    meter = Meter(10, 0.0)

    def takes(now: float) -> bool:
        meter.left -= 1
        return meter.left >= 0 or meter.refill(now)

    assert [takes(0.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert not any(takes(0.05) for _ in range(1000))
    assert [takes(0.25) for _ in range(3)] == [True, True, False]
    assert [takes(100.0) for _ in range(12)] == [True] * 10 + [False] * 2


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_a_bundle_counts_for_what_is_in_it() -> None:
    bridge = Bridge(level())
    bundle = encode_bundle(IMMEDIATELY, [encode_message("/level", (0.5,))] * 50)
    async with bridge.running(bridge.peer(flood=100)) as (port,):
        for _ in range(60):
            port._receiver.receive(bundle, ("127.0.0.1", 9))
        health = port.health()[0]
        assert health["received"] <= 3
        assert health["received"] + health["refused"]["flood"] == 60


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_ever_new_hosts_and_ports_leave_room_for_whom_we_know() -> None:
    bridge = Bridge(level())
    async with bridge.running(bridge.peer()) as (port,):
        for number in range(3 * MAX_SOURCES):
            packet = encode_message("/level", (0.25,))
            port._receiver.receive(packet, (f"10.0.{number // 250}.{number % 250}", 9))
            port._receiver.receive(packet, (f"8.8.{number // 250}.{number % 250}", 9))
        sources = port._receiver.sources
        assert max(len(sources.at), len(sources._meters), len(sources._strangers)) <= MAX_SOURCES
        assert port.health()[0]["refused"]["flood"] > 0  # those beyond share one count
        port._receiver.receive(encode_message("/level", (0.75,)), ("127.0.0.1", 9))
        assert bridge.value("/level") == 0.75


async def test_a_host_with_all_addresses_of_an_ipv6_network_floods_with_one_share() -> None:
    bridge = Bridge(level())
    async with bridge.running(bridge.peer()) as (port,):
        packet = encode_message("/level", (0.25,))
        for number in range(0xFFFF):  # on a slow machine their share grows meanwhile
            port._receiver.receive(packet, (f"fd00::{number:x}", 9, 0, 0))
            if number % 500 == 499 and port.health()[0]["refused"]["flood"]:
                break
        assert port.health()[0]["refused"]["flood"] > 0
        port._receiver.receive(encode_message("/level", (0.75,)), ("fd00:0:0:1::1", 9, 0, 0))
        assert bridge.value("/level") == 0.75
