"""Requests that a proxy passes on: whose they are, and that they are never this machine's."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

import pytest

from bridge.http.forwarded import asker
from bridge.http.limits import HttpLimits

from .test_attacks import UPGRADE, Raw, attacked, request, status_of
from .waiting import LOOK_S, SOON_S

HERE = (ip_network("127.0.0.1"), ip_network("10.0.0.0/30"))


@pytest.mark.parametrize(
    ("address", "hops", "whose"),
    [
        ("127.0.0.1", ["192.168.1.20"], "192.168.1.20"),
        ("127.0.0.1", ["6.6.6.6, 192.168.1.20"], "192.168.1.20"),  # the first is what the client says
        ("127.0.0.1", ["6.6.6.6", "192.168.1.20"], "192.168.1.20"),
        ("127.0.0.1", ["192.168.1.20, 10.0.0.2"], "192.168.1.20"),  # a proxy before the proxy
        ("127.0.0.1", ["192.168.1.20:5000"], "192.168.1.20"),
        ("127.0.0.1", ["[fd00::1]:5000"], "fd00::1"),
        ("127.0.0.1", ["::ffff:192.168.1.20"], "192.168.1.20"),
        ("::ffff:127.0.0.1", ["192.168.1.20"], "192.168.1.20"),
        ("127.0.0.1", [], "127.0.0.1"),  # a browser of this machine, past the proxy
        ("127.0.0.1", ["127.0.0.1"], "a proxy at 127.0.0.1"),
        ("127.0.0.1", ["192.168.1.20, ::1"], "a proxy at 127.0.0.1"),
        ("127.0.0.1", ["192.168.1.20, unknown"], "a proxy at 127.0.0.1"),
        ("127.0.0.1", ["10.0.0.1"], "a proxy at 127.0.0.1"),
        ("127.0.0.1", [""], "a proxy at 127.0.0.1"),
        ("192.168.1.66", ["127.0.0.1"], "192.168.1.66"),  # who says that it is somebody else
        ("192.168.1.66", ["192.168.1.20"], "192.168.1.66"),
    ],
)
def test_only_the_last_hop_of_a_named_proxy_is_believed(address: str, hops: list[str], whose: str) -> None:
    names = ["Host", "X-Forwarded-For"] if hops else ["Host"]
    assert asker(address, names, hops, HttpLimits(proxies=HERE)) == whose


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "x-forwarded-proto", "X-Real-IP", "Via"])
def test_what_any_proxy_passes_on_is_never_this_machines(header: str) -> None:
    for address in ("127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"):
        assert asker(address, [header], ["127.0.0.1"], HttpLimits()) == f"a proxy at {address}"


def passed_on(client: str, path: str = "/") -> bytes:
    return request(path, f"X-Forwarded-For: 127.0.0.1, {client}", "Connection: close")


async def test_each_who_is_behind_a_proxy_has_a_share_of_its_own(tmp_path: Path) -> None:
    async with attacked(tmp_path, HttpLimits(requests_per_s=1.0, proxies=HERE)) as server:
        greedy = [(await status_of(server, passed_on("192.168.1.66")))[0] for _ in range(12)]
        assert greedy == [200] * 10 + [429] * 2
        assert (await status_of(server, passed_on("192.168.1.20")))[0] == 200
        assert server.refusals.totals["rate"] == 2
        assert set(server.door.visitors) == {"192.168.1.66", "192.168.1.20"}


async def test_sockets_through_a_proxy_are_counted_by_whose_they_are(tmp_path: Path) -> None:
    async with attacked(tmp_path, HttpLimits(connections_per_address=1, proxies=HERE)) as server:
        async with Raw.connect(server) as first, Raw.connect(server) as second, Raw.connect(server) as third:
            assert b" 101 " in await first.upgrade(b"X-Forwarded-For: 192.168.1.66\r\n")
            second.say(UPGRADE % b"X-Forwarded-For: 192.168.1.66\r\n")
            assert b" 429 " in await second.hear_all()
            assert b" 101 " in await third.upgrade(b"X-Forwarded-For: 192.168.1.20\r\n")
            assert {one.host for one in server.hub._connections.values()} == {"192.168.1.66", "192.168.1.20"}
        async with asyncio.timeout(SOON_S):
            while server.hub._connections:
                await asyncio.sleep(LOOK_S)
        assert (await status_of(server, passed_on("192.168.1.66")))[0] == 200, "its place is free again"
