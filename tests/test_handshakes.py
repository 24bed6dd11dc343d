"""When TLS handshakes may begin: over real sockets, counted in turns of the loop and not in time."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from bridge.http.handshakes import MAX_UNDER_WAY, Handshakes, is_whole
from tests.hellos import client_hello
from tests.waiting import eventually

HELLO = client_hello()


class Arrivals:
    """Connections that come, and in which turn of the loop each may begin. They are under way until they are ended."""

    def __init__(self) -> None:
        self.began: list[tuple[str, int]] = []
        self.failed: list[BaseException] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.ours: list[socket.socket] = []
        self._handshakes = Handshakes()
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = 0
        self._count()

    def come(self, address: str | None, said: bytes = HELLO) -> socket.socket:
        """The other end."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.create_connection(listener.getsockname())
            ours, _ = listener.accept()
        ours.setblocking(False)
        theirs.send(said)
        self.ours.append(ours)
        self._tasks.append(asyncio.create_task(self._let_in(ours, address)))
        return theirs

    def names(self) -> list[str]:
        return [name for name, _ in self.began]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._counting.cancel()

    async def _let_in(self, sock: socket.socket, address: str | None) -> None:
        name = address or "exempt"
        try:
            async with self._handshakes.turn(sock, address):
                self.began.append((name, self._turn))
                await self.ends.setdefault(name, asyncio.Event()).wait()
        except OSError as exc:
            self.failed.append(exc)

    def _count(self) -> None:
        self._turn += 1
        self._counting = asyncio.get_running_loop().call_soon(self._count)


@pytest.fixture
async def arrivals() -> AsyncIterator[Arrivals]:
    found = Arrivals()
    yield found
    await found.stop()
    for sock in found.ours:
        sock.close()


async def test_a_hundred_at_once_begin_one_after_the_other_and_few_of_one_address(arrivals: Arrivals) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(arrivals.come("flood"))
        stack.enter_context(arrivals.come("phone"))
        await eventually(lambda: "phone" in arrivals.names())
        assert arrivals.names().count("flood") == MAX_UNDER_WAY
        arrivals.ends["flood"].set()
        await eventually(lambda: len(arrivals.began) == 101)
        turns = [turn for _, turn in arrivals.began]
        assert min(after - before for before, after in pairwise(turns)) > 1


async def test_who_is_exempt_has_as_many_under_way_as_it_likes(arrivals: Arrivals) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2 * MAX_UNDER_WAY):
            stack.enter_context(arrivals.come(None))
        await eventually(lambda: len(arrivals.began) == 2 * MAX_UNDER_WAY)


async def test_half_a_hello_begins_nothing_until_the_rest_is_there(arrivals: Arrivals) -> None:
    with arrivals.come("slow", HELLO[:3]) as slow, arrivals.come("quick") as quick:
        await eventually(lambda: arrivals.names() == ["quick"])
        slow.send(HELLO[3:100])
        await eventually(lambda: arrivals.ours[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 101)
        assert arrivals.names() == ["quick"]
        slow.send(HELLO[100:])
        await eventually(lambda: arrivals.names() == ["quick", "slow"])
        assert arrivals.ours[0].recv(1 << 16) == HELLO  # it is all still there, and read as ever
        quick.send(b"x")
        assert arrivals.ours[1].getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


async def test_who_goes_before_it_has_said_hello_leaves_nothing_behind(arrivals: Arrivals) -> None:
    arrivals.come("gone", HELLO[:50]).close()
    await eventually(lambda: arrivals.names() == ["gone"])  # and its handshake fails


async def test_who_says_half_a_hello_and_no_more_is_given_up(
    arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.http.handshakes.HANDSHAKE_S", 0.1)
    with arrivals.come("half", HELLO[:50]):
        await eventually(lambda: len(arrivals.failed) == 1)
        assert arrivals.ours[0].fileno() == -1
        assert arrivals.began == []


def test_a_hello_is_whole_in_however_many_records_and_what_is_none_may_fail_at_once() -> None:
    said = HELLO[5:]
    parts = [said[at : at + 40] for at in range(0, len(said), 40)]
    records = b"".join(HELLO[:3] + len(part).to_bytes(2) + part for part in parts)
    for data in (HELLO, records):
        assert is_whole(data)
        assert not any(is_whole(data[:size]) for size in range(len(data)))
    assert is_whole(b"GET / HTTP/1.1\r\n")
    assert not is_whole(b"")
