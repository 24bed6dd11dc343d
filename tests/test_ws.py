import asyncio
import contextlib
import json
import logging
import random
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.access import Grant
from bridge.control import Control
from bridge.messages import MAX_MESSAGE_BYTES
from bridge.monitor import MAX_WAITING, Line
from bridge.store import Entry, Origin
from bridge.ws import Limits
from tests.server import Client, Server
from tests.waiting import SOON_S, eventually

OSC = Origin("osc", "max")
QUICK = Limits(clients=8, silent_s=0.8, ping_after_s=0.2, client_timeout_s=0.5, hello_s=0.3, check_s=0.05)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Server.start(tmp_path, limits=QUICK) as server:
        yield server


def add(server: Server, path: str, **fields: object) -> Entry:
    return server.store.add(Control(path=path, **fields), now=0.0)  # type: ignore[arg-type]


def change(server: Server, entry: Entry, value: object) -> None:
    server.store.set(entry, value, OSC, asyncio.get_running_loop().time())


async def test_a_change_reaches_every_browser(server: Server) -> None:
    fader = add(server, "/fader")
    async with Client.connect(server.ws_url) as one, Client.connect(server.ws_url) as two:
        change(server, fader, 0.5)
        assert await one.hear() == {"type": "update", "rev": 2, "values": [[fader.id, 0.5]]}
        assert await two.hear() == {"type": "update", "rev": 2, "values": [[fader.id, 0.5]]}


async def test_aiohttps_client_is_understood_too(server: Server) -> None:
    fader = add(server, "/fader")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.ws_url, protocols=["stagebridge.v1"]) as ws,
    ):
        assert ws.protocol == "stagebridge.v1"
        await ws.send_json({"type": "hello"})
        assert (await ws.receive_json())["values"] == [[fader.id, 0.0]]
        await ws.send_json({"type": "set", "n": 1, "values": [["/fader", 0.25]]})
        assert (await ws.receive_json())["values"] == [[fader.id, 0.25]]
        assert await ws.receive_json() == {"type": "applied", "n": 1}


async def test_a_set_reaches_the_other_browser(server: Server) -> None:
    fader = add(server, "/fader")
    async with Client.connect(server.ws_url) as one, Client.connect(server.ws_url) as two:
        await one.say("set", n=1, t=0, values=[[fader.id, 0.75]])
        await two.hear_value(fader.id, 0.75)
        await one.hear_until("applied", n=1)
        assert one.values[fader.id] == 0.75


async def test_a_late_browser_sees_the_truth(server: Server) -> None:
    fader = add(server, "/fader")
    async with Client.connect(server.ws_url) as one:
        await one.say("set", n=1, values=[[fader.id, 0.75]])
        await one.hear_until("applied", n=1)
    async with Client.connect(server.ws_url) as two:
        assert two.welcome["values"] == [[fader.id, 0.75]]


async def test_a_flood_is_merged_and_ends_on_the_last_values(server: Server) -> None:
    faders = [add(server, f"/fader/{n}") for n in range(64)]
    async with Client.connect(server.ws_url) as client:
        for step in range(1, 101):
            for fader in faders:
                change(server, fader, step / 100)
            await asyncio.sleep(0.001)
        updates = 0
        while not all(client.values.get(fader.id) == 1.0 for fader in faders):
            updates += (await client.hear())["type"] == "update"
        assert updates < 60


async def test_what_comes_in_one_turn_of_the_loop_is_told_in_one_frame(server: Server) -> None:
    faders = [add(server, f"/fader/{n}") for n in range(8)]
    async with Client.connect(server.ws_url) as client:
        for value in (0.25, 0.75):
            await asyncio.sleep(0.02)  # a pass is due: the first alone could go at once
            for fader in faders:
                change(server, fader, value)
            update = await client.hear_until("update")
            assert update["values"] == [[fader.id, value] for fader in faders]


async def test_two_hundred_simultaneous_writes_end_with_one_truth(server: Server) -> None:
    fader = add(server, "/fader", range=(0, 1000))
    chance = random.Random(1)
    agreed = 0
    async with Client.connect(server.ws_url) as one, Client.connect(server.ws_url) as two:
        for n in range(1, 201):
            await asyncio.gather(
                one.say("set", n=n, values=[[fader.id, chance.uniform(0, 1000)]]),
                two.say("set", n=n, values=[[fader.id, chance.uniform(0, 1000)]]),
            )
            await asyncio.gather(one.hear_until("applied", n=n), two.hear_until("applied", n=n))
            for client in (one, two):
                while client.values[fader.id] != fader.value:
                    await client.hear()
            agreed += one.values[fader.id] == two.values[fader.id] == fader.value
    assert agreed == 200


async def test_meters_are_sent_live_to_who_shows_them(server: Server) -> None:
    meter = add(server, "/level", kind="meter")
    async with Client.connect(server.ws_url) as client:
        assert client.welcome["values"] == []
        await client.say("show", ids=[meter.id])
        await client.say("ping", t=1)
        await client.hear_until("pong")
        for level in range(60):
            change(server, meter, -level)
        message = await client.hear_until("meters")
        assert message == {"type": "meters", "values": [[meter.id, -59.0]]}


async def test_a_new_connection_of_a_page_ends_the_older(server: Server) -> None:
    flash = add(server, "/flash", kind="bool", momentary=True)
    async with Client.connect(server.ws_url, page="b81f") as ghost:
        await ghost.say("touch", ids=[flash.id])
        await ghost.say("set", n=1, values=[[flash.id, True]])
        await ghost.hear_until("applied")
        async with Client.connect(server.ws_url, page="b81f") as client:
            await client.hear_value(flash.id, False)
            assert await ghost.hear_close() == 4001
            assert len(server.hub) == 1


async def test_same_page_with_another_token_is_another_device(server: Server) -> None:
    async with (
        Client.connect(server.ws_url, page="b81f", token="a"),
        Client.connect(server.ws_url, page="b81f", token="b"),
    ):
        assert len(server.hub) == 2


async def test_a_revoked_device_is_cut_off_at_once_and_others_are_not(server: Server) -> None:
    server.hub.shared.admit = {"a": Grant("control", device="d1"), "b": Grant("control", device="d2")}.get
    flash = add(server, "/flash", kind="bool", momentary=True)
    async with (
        Client.connect(server.ws_url, token="a") as lost,
        Client.connect(server.ws_url, token="a") as lost_too,
        Client.connect(server.ws_url, token="b") as kept,
    ):
        await lost.say("set", n=1, values=[[flash.id, True]])
        await kept.hear_value(flash.id, True)
        server.hub.revoke("d1")
        assert flash.value is False
        await lost.say("set", n=2, values=[[flash.id, True]])
        assert await lost.hear_close() == 4403
        assert await lost_too.hear_close() == 4403
        assert flash.value is False
        await kept.say("set", n=1, values=[[flash.id, True]])
        await kept.hear_until("applied")
        assert flash.value is True
        assert len(server.hub) == 1


async def test_what_a_device_may_do_can_change_and_a_page_of_its_own_stays_below_admin(server: Server) -> None:
    device = Grant("control", device="d1")
    server.hub.shared.admit = {"a": device, "ticket": device.for_page()}.get
    async with (
        Client.connect(server.ws_url, token="a") as client,
        Client.connect(server.ws_url, token="ticket") as own_page,
    ):
        server.hub.regrant(lambda grant: Grant("admin", device="d1") if grant.device == "d1" else grant)
        assert (await client.hear_until("welcome"))["role"] == "admin"
        server.hub.regrant(lambda grant: Grant("view", device="d1") if grant.device == "d1" else grant)
        assert (await client.hear_until("welcome"))["role"] == "view"
        assert (await own_page.hear_until("welcome"))["role"] == "view"


async def test_a_lost_browser_releases_what_it_holds(server: Server) -> None:
    flash = add(server, "/flash", kind="bool", momentary=True)
    async with Client.connect(server.ws_url) as client:
        await client.say("touch", ids=[flash.id])
        await client.say("set", n=1, values=[[flash.id, True]])
        await client.hear_until("applied")
        client.socket.transport.abort()
        await eventually(lambda: flash.value is False)
    assert not flash.holders


async def test_a_page_that_stops_pinging_holds_nothing_though_its_browser_answers(server: Server) -> None:
    """A frozen page, or one that hangs: pongs come from the browser's own network code."""
    flash, plain = (add(server, path, kind="bool", momentary=True) for path in ("/flash", "/plain"))
    async with Client.connect(server.ws_url) as frozen, Client.connect(server.ws_url) as simple:
        await frozen.say("ping", t=1)
        for client, entry in ((frozen, flash), (simple, plain)):
            await client.say("touch", ids=[entry.id])
            await client.say("set", n=1, values=[[entry.id, True]])
            await client.hear_until("applied")
        async with asyncio.timeout(2):
            await eventually(lambda: flash.value is False)
        assert plain.value is True  # who never pinged promised nothing
        assert len(server.hub) == 2


async def test_a_silent_browser_is_dropped_within_the_heart_beat(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await upgrade(reader, writer)
    writer.write(client_frame(b'{"type":"hello"}'))
    started = asyncio.get_running_loop().time()
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):  # pings come; nobody answers
            pass
    assert 0.7 < asyncio.get_running_loop().time() - started < 2.0
    await eventually(lambda: len(server.hub) == 0)
    writer.close()


async def test_a_client_that_only_answers_pings_stays(server: Server) -> None:
    async with Client.connect(server.ws_url) as client:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                await client.hear()
        assert len(server.hub) == 1


async def test_a_client_that_takes_nothing_is_closed(server: Server) -> None:
    texts = [add(server, f"/text/{n}", kind="string", max_length=10000) for n in range(24)]
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=raw)
    await upgrade(reader, writer)
    writer.write(client_frame(b'{"type":"hello","acks":false}'))
    await eventually(lambda: len(server.hub) == 1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    step = 0
    async with asyncio.timeout(SOON_S):
        while len(server.hub):
            step += 1
            for text in texts:
                change(server, text, f"{step:05}" * 2000)
            writer.write(client_frame(b'{"type":"ping","t":1}'))  # alive, and not reading
            await asyncio.sleep(0.02)
    writer.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x82\x84\0\0\0\0abcd", 1003),  # binary
        (b"\x81\x84\0\0\0\0\xff\xfe\xfd\xfc", 1007),  # not UTF-8
        (b"\xf1\x84\0\0\0\0abcd", 1002),  # reserved bits
        (b"\x81\xff" + struct.pack(">Q", 1 << 30) + b"\0\0\0\0" + b"x" * 100, 1009),  # 1 GB announced
        (b"\x81\xff" + struct.pack(">Q", MAX_MESSAGE_BYTES + 1) + b"\0\0\0\0" + b"x" * (MAX_MESSAGE_BYTES + 1), 1009),
    ],
)
async def test_malformed_frames_end_that_connection_alone(server: Server, frame: bytes, code: int) -> None:
    fader = add(server, "/fader")
    async with Client.connect(server.ws_url) as other:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await upgrade(reader, writer)
        writer.write(client_frame(b'{"type":"hello"}'))
        await eventually(lambda: len(server.hub) == 2)
        writer.write(frame)
        async with asyncio.timeout(SOON_S):
            answer = b""
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(65536):
                    answer += chunk
        assert b"\x88" in answer
        at = answer.rindex(b"\x88")
        assert struct.unpack(">H", answer[at + 2 : at + 4]) == (code,)
        writer.close()
        await eventually(lambda: len(server.hub) == 1)
        change(server, fader, 0.5)
        await other.hear_value(fader.id, 0.5)


async def test_what_a_browser_does_wrong_is_logged_once_and_counted(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge")
    async with Client.connect(server.ws_url, name="Anna") as anna:
        for n in range(1, 101):
            await anna.say("set", n=n, values=[["/nothing", 1]])
            await anna.say("dance")
        await anna.hear_until("applied", n=100)
        await anna.say("ping", t=1)
        await anna.hear_until("pong")
        assert server.hub.shared.counters.by_code.total() == 200
    for frame in (b"\x82\x84\0\0\0\0abcd", b"\xf1\x84\0\0\0\0abcd", b"\xf1\x84\0\0\0\0abcd"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await upgrade(reader, writer)
        writer.write(client_frame(b'{"type":"hello","name":"Ben"}') + frame)
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()
    lines = [line for record in caplog.records if "(127.0.0.1): " in (line := record.getMessage())]
    assert [line.split(" (127.0.0.1): ")[1][:24] for line in lines] == [
        "unknown_control: no cont",
        "unknown_type: no message",
        "sent a binary frame: tex",
        "sent a malformed frame: ",
    ]
    assert lines[0].startswith("browser Anna")
    assert lines[2].startswith("browser Ben")


async def test_who_never_says_hello_is_dropped(server: Server) -> None:
    async with asyncio.timeout(SOON_S), connect(server.ws_url, proxy=None) as silent:
        with pytest.raises(ConnectionClosed):
            await silent.recv()


async def test_there_is_a_limit_of_browsers(server: Server) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(Client.connect(server.ws_url))
        with pytest.raises(InvalidStatus) as refused:
            await stack.enter_async_context(Client.connect(server.ws_url))
        assert refused.value.response.status_code == 503


async def test_who_says_nothing_has_no_place_that_another_wants(server: Server) -> None:
    async with contextlib.AsyncExitStack() as stack:
        mute = [await stack.enter_async_context(connect(server.ws_url)) for _ in range(QUICK.clients)]
        await stack.enter_async_context(Client.connect(server.ws_url))
        with pytest.raises(ConnectionClosed):
            await mute[0].recv()
        assert len(server.hub) == QUICK.clients


async def test_one_device_has_so_many_connections_and_no_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.ws.MAX_OF_DEVICE", 2)
    server.hub.shared.admit = {"a": Grant("control", device="d1"), "b": Grant("control", device="d2")}.get
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.connect(server.ws_url, token=token)) for token in "aba"]
        with pytest.raises(ConnectionClosed) as refused:
            await stack.enter_async_context(Client.connect(server.ws_url, token="a"))
        assert refused.value.rcvd is not None
        assert refused.value.rcvd.code == 4002
        for client in clients:
            await client.say("set", n=1, values=[])
            await client.hear_until("applied")
        assert len(server.hub) == 3
        await clients[0].socket.close()
        await stack.enter_async_context(Client.connect(server.ws_url, token="a"))


async def test_a_thousand_sockets_opened_and_dropped_leave_nothing(server: Server) -> None:
    fader = add(server, "/fader")
    for _ in range(20):
        pairs = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", server.port) for _ in range(50)))
        for number, (_, writer) in enumerate(pairs):
            if number % 2:
                writer.write(UPGRADE if number % 3 else UPGRADE[:40])
        for _, writer in pairs:
            writer.transport.abort()
    await eventually(lambda: len(server.hub) == 0)
    async with Client.connect(server.ws_url) as client:
        change(server, fader, 0.5)
        await client.hear_value(fader.id, 0.5)


async def test_closing_tells_every_browser_that_the_server_goes(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with Server.start(tmp_path) as server:
            clients = [await stack.enter_async_context(Client.connect(server.ws_url)) for _ in range(3)]
        for client in clients:
            assert await client.hear_close() == 1001


async def test_browsers_at_one_revision_get_the_same_bytes(server: Server) -> None:
    fader = add(server, "/fader")
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.connect(server.ws_url)) for _ in range(8)]
        for client in clients:
            await client.say("ping", t=1)
            await client.hear_until("pong")
        change(server, fader, 0.125)
        texts = {await client.socket.recv() for client in clients}
        assert [json.loads(text) for text in texts] == [{"type": "update", "rev": 2, "values": [[fader.id, 0.125]]}]


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(UPGRADE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")


def client_frame(payload: bytes) -> bytes:
    """A masked text frame; a mask of zeros leaves the payload as it is."""
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack(">H", size)
    return head + b"\0\0\0\0" + payload


# The monitor


def flood(server: Server, address: str, count: int) -> None:
    monitor = server.hub.shared.monitor
    for number in range(count):
        for watch in monitor.takers("max", address, 1000.0 + number):
            watch.put(Line(1000.0, "in", "osc", "max", "here", 16, address=address))


async def test_lines_of_the_monitor_reach_who_watches_and_nobody_else(server: Server) -> None:
    fader = add(server, "/fader")
    async with Client.connect(server.ws_url) as one, Client.connect(server.ws_url) as other:
        await one.say("subscribe", what=["monitor"])
        await eventually(lambda: server.hub.shared.monitor.is_watched)
        flood(server, "/a", 3)
        assert len((await one.hear_until("monitor"))["lines"]) == 3
        change(server, fader, 0.5)
        assert (await other.hear())["type"] == "update"
    await eventually(lambda: not server.hub.shared.monitor.is_watched)


async def test_more_lines_than_a_frame_takes_come_in_several(server: Server) -> None:
    async with Client.connect(server.ws_url) as one:
        await one.say("subscribe", what=["monitor"])
        await eventually(lambda: server.hub.shared.monitor.is_watched)
        flood(server, "/" + "a" * 200, MAX_WAITING + 7)
        lines, lost = 0, 0
        while lines + lost < MAX_WAITING + 7:
            frame = await one.hear_until("monitor")
            lines, lost = lines + len(frame["lines"]), lost + frame.get("lost", 0)
        assert (lines, lost) == (MAX_WAITING, 7)


async def test_a_watcher_that_reads_nothing_loses_lines_and_holds_nobody_up(server: Server) -> None:
    fader = add(server, "/fader")
    monitor = server.hub.shared.monitor
    async with Client.connect(server.ws_url) as show, connect(server.ws_url, compression=None, proxy=None) as stuck:
        await stuck.send(json.dumps({"type": "hello", "acks": False}))
        await stuck.send(json.dumps({"type": "subscribe", "what": ["monitor"]}))
        await eventually(lambda: monitor.is_watched)
        connection = next(c for c in server.hub._connections.values() if c.session.asides.watch is not None)
        connection.unsent = lambda: 1  # its kernel takes nothing
        watch = connection.session.asides.watch
        assert watch is not None
        await show.say("subscribe", what=["monitor"])
        await eventually(lambda: len(monitor) == 2)
        flood(server, "/a", MAX_WAITING * 3)
        change(server, fader, 0.5)
        assert (await show.hear_until("update"))["values"] == [[fader.id, 0.5]]
        await show.hear_until("monitor")
        assert len(watch._lines) == MAX_WAITING  # what waits for it, waits
        assert watch.take_lost() == MAX_WAITING * 2
        del connection.unsent
