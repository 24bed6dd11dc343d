"""A configuration that is read anew while the whole bridge runs: what changes, and that nothing else does."""

import asyncio
import socket
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.app import KINDS, Bridge
from bridge.config.lastgood import Start
from bridge.config.loading import load, parse
from bridge.config.settings import Config
from bridge.control import Control
from bridge.reloading import Source
from bridge.store import Origin
from tests.fakes.abletonosc import opened_live
from tests.fakes.liveset import Song, Track
from tests.jack import Controller
from tests.peers import free_udp_port
from tests.server import Client
from tests.waiting import SOON_S, eventually

HAND = Origin("browser", "c1", "FOH")
QUIET_S = 0.06
IDLE_CALLS = 100
"""Calls in a turn of the loop in which next to nothing is done."""
FD_DIR = Path("/proc/self/fd")


class Program:
    """An OSC program: where it listens, and what it has heard."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # it does not read while the test looks on
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.port: int = self.sock.getsockname()[1]

    async def heard(self, wanted: int = 0) -> list[tuple[str, list[Any]]]:
        """So many messages, and what comes until it is quiet then."""
        messages: list[tuple[str, list[Any]]] = []
        while True:
            try:
                async with asyncio.timeout(SOON_S if len(messages) < wanted else QUIET_S):
                    data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
            except TimeoutError:
                return messages
            if data != b"#bundle\0\0\0\0\0\0\0\0\1":  # the knock, which means nothing
                messages.append((OscMessage(data).address, OscMessage(data).params))

    def say(self, udp_port: int, address: str, *values: Any) -> None:
        message = OscMessageBuilder(address)
        for value in values:
            message.add_arg(value)
        self.sock.sendto(message.build().dgram, ("127.0.0.1", udp_port))


@pytest.fixture
def programs() -> Iterator[tuple[Program, Program]]:
    one, two = Program(), Program()
    with one.sock, two.sock:
        yield one, two


class Show:
    """A bridge on a file that is edited."""

    def __init__(self, bridge: Bridge, file: Path, head: str) -> None:
        self.bridge = bridge
        self._file = file
        self._head = head

    async def saved(self, text: str) -> list[str]:
        """The file is this now, and read anew; what changed."""
        await asyncio.to_thread(self._file.write_text, self._head + text)
        outcome = await self.bridge.reload()
        assert not outcome.problems, outcome
        return list(outcome.changes)

    async def broken(self, text: str) -> list[str]:
        """The same with mistakes in it, which are returned."""
        await asyncio.to_thread(self._file.write_text, self._head + text)
        outcome = await self.bridge.reload()
        assert outcome.problems
        assert not outcome.changes
        return [problem.render("config.toml") for problem in outcome.problems]

    def move(self, path: str, value: Any) -> None:
        self.bridge.store.set(self.bridge.store.get(path), value, HAND, self.bridge.clock())

    def peer(self, name: str) -> dict[str, Any]:
        return next(peer for peer in self.bridge.health()["peers"] if peer["name"] == name)

    def port(self, name: str) -> int:
        number = self.peer(name)["udp_port"]
        assert isinstance(number, int)
        return number


@asynccontextmanager
async def show(tmp_path: Path, text: str, head: str = "") -> AsyncIterator[Show]:
    (tmp_path / "pages").mkdir(exist_ok=True)
    head = f'[http]\nhost = "127.0.0.1"\nport = 0\npages = "{tmp_path / "pages"}"\n{head}'
    file = tmp_path / "config.toml"
    file.write_text(head + text)
    config = await asyncio.to_thread(load, file, KINDS)
    async with Bridge(config, state=tmp_path / "state") as bridge:
        yield Show(bridge, file, head)


def osc(name: str, program: Program, more: str = "", listen: str = "127.0.0.1:0") -> str:
    return f'[[osc]]\nname = "{name}"\nlisten = "{listen}"\nsend = ["127.0.0.1:{program.port}"]\n{more}\n'


def sockets() -> dict[int, str]:
    """Which socket each descriptor is."""
    found = {}
    for link in FD_DIR.iterdir():
        with suppress(OSError):  # the one by which we look
            if (target := str(link.readlink())).startswith("socket:"):
                found[int(link.name)] = target
    return found


def udp_socket(port: int) -> str:
    """The kernel's name of the socket that is bound there."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            return f"socket:[{fields[9]}]"
    raise AssertionError(f"nobody listens on {port}")


BASE = """
[[control]]
path = "/a"
[[control]]
path = "/b"
range = [0, 10]
[[control]]
path = "/flash"
kind = "bool"
momentary = true
"""


async def test_a_control_that_stays_keeps_id_and_value(tmp_path: Path) -> None:
    async with show(tmp_path, BASE) as it:
        store = it.bridge.store
        ids = {path: store.get(path).id for path in ("/a", "/b")}
        it.move("/a", 0.25)
        it.move("/b", 8)
        told = await it.saved(BASE.replace("[0, 10]", "[0, 5]") + '[[control]]\npath = "/new"\n')
        assert told[:2] == ["1 control added: /new", "1 control changed: /b"]
        assert (store.get("/a").value, store.get("/b").value) == (0.25, 5), "the second was clamped"
        assert {path: store.get(path).id for path in ids} == ids
        assert store.get("/new").id > max(ids.values())
        await it.saved(BASE.replace('path = "/a"', 'path = "/a"\nkind = "int"'))
        assert store.get("/a").id not in ids.values(), "of another kind it is another control"
        assert store.get("/a").value == 0
        assert store.get("/b").value == 5
        assert store.find("/new") is None


async def test_an_open_page_is_told_of_nothing_but_what_changed(tmp_path: Path) -> None:
    async with show(tmp_path, BASE, '[auth]\nmode = "open"\n') as it:
        a, b = it.bridge.store.get("/a").id, it.bridge.store.get("/b").id
        async with Client.connect(f"ws://127.0.0.1:{it.bridge.http_port}/ws") as page:
            it.move("/b", 8)
            await page.hear_value(b, 8)
            await it.saved(BASE.replace("[0, 10]", "[0, 5]").replace('path = "/a"', 'path = "/c"'))
            update = await page.hear_until("update", removed=[a])
            c = it.bridge.store.get("/c").id
            assert sorted(control["path"] for control in update["controls"]) == ["/b", "/c"]
            assert sorted(update["values"]) == [[b, 5], [c, 0.0]], "one frame, and in it nothing else"
            while "surface" not in update:  # on a busy machine a pass of its own
                update = await page.hear_until("update")
            assert update["surface"]["pages"][0]["groups"][0]["items"][0] == {"path": "/c"}


async def test_a_wrong_file_changes_nothing_and_says_why(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    max_, _ = programs
    async with show(tmp_path, BASE + osc("max", max_)) as it:
        revision, config = it.bridge.store.revision, it.bridge.config
        wrong = BASE.replace("[0, 10]", "[1, 0]").replace('path = "/a"', 'paht = "/a"')
        said = await it.broken(wrong)
        assert len(said) == 3
        assert any("range" in line for line in said)
        assert it.bridge.config is config
        trouble = it.bridge.store.get("/stagebridge/config").value
        assert str(trouble).startswith("what was there before runs on: config.toml:")
        assert it.bridge.health()["config"]["trouble"] == trouble
        assert it.bridge.status_text().startswith("the configuration has mistakes: ")
        assert it.bridge.store.revision == revision + 1, "nothing but that there is a mistake"
        assert await it.saved(BASE + osc("max", max_)) == []
        assert it.bridge.store.find("/stagebridge/config") is None
        assert it.bridge.config_trouble == ""


async def test_what_goes_is_let_go_and_rests_at_its_peers(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    max_, pd = programs
    text = BASE + osc("max", max_) + osc("pd", pd, "rate = 20")
    async with show(tmp_path, text) as it:
        assert await max_.heard(1) == await pd.heard(1) == [("/flash", [0])], "momentaries' rest"
        it.move("/flash", True)
        it.move("/a", 0.5)
        assert await max_.heard(2) == [("/flash", [1]), ("/a", [0.5])]
        assert await pd.heard(2)
        await it.saved(text[text.index("[[osc]]") :])
        assert await max_.heard(1) == [("/flash", [0])]
        assert ("/flash", [0]) in await pd.heard(1), "though its pace would have kept it back"


async def test_a_peer_that_is_taken_out_is_not_left_pressed(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    max_, pd = programs
    async with show(tmp_path, BASE + osc("max", max_) + osc("pd", pd)) as it:
        it.move("/flash", True)
        await max_.heard(1)
        await pd.heard(1)
        assert await it.saved(BASE + osc("max", max_)) == ["closed: osc pd"]
        assert await pd.heard(1) == [("/flash", [0])]
        assert await max_.heard() == []
        assert it.bridge.store.find("/stagebridge/peers/pd") is None


async def test_of_two_ports_the_one_that_is_as_it_was_is_not_touched(
    tmp_path: Path, programs: tuple[Program, Program]
) -> None:
    max_, pd = programs
    async with show(tmp_path, BASE + osc("max", max_) + osc("pd", pd, 'on_connect = "push"')) as it:
        it.move("/a", 0.5)
        await max_.heard(1)
        await pd.heard(1)
        before = {name: udp_socket(it.port(name)) for name in ("max", "pd")}
        assert before["max"] in sockets().values()
        told = await it.saved(BASE + osc("max", max_) + osc("pd", pd, 'on_connect = "push"\nrate = 500'))
        assert told == ["opened anew: osc pd"]
        assert udp_socket(it.port("max")) == before["max"]
        assert udp_socket(it.port("pd")) != before["pd"]
        assert sorted(await pd.heard(3)) == [("/a", [0.5]), ("/b", [0.0]), ("/flash", [0])], "as its policy says"
        assert await max_.heard() == [], "it is sent nothing"
        max_.say(it.port("max"), "/a", 0.75)
        await eventually(lambda: it.bridge.store.get("/a").value == 0.75)
        assert await pd.heard(1) == [("/a", [0.75])]


async def test_peers_that_share_a_socket_keep_it(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    max_, pd = programs
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{sock.getsockname()[1]}"
    one = osc("max", max_, 'from = ["127.0.0.1"]', listen)
    async with show(tmp_path, BASE + one + osc("pd", pd, 'from = ["127.0.0.2"]', listen)) as it:
        kernel = udp_socket(it.port("max"))
        it.move("/a", 0.5)
        await max_.heard(2)
        await pd.heard(2)
        await it.saved(BASE + one + osc("pd", pd, 'from = ["127.0.0.2"]\nprefix = "/p"', listen))
        assert (it.port("max"), it.port("pd"), udp_socket(it.port("pd"))) == (it.port("pd"), it.port("max"), kernel)
        it.move("/a", 0.25)
        assert await max_.heard(1) == [("/a", [0.25])]
        assert sorted(await pd.heard(2)) == [("/p/a", [0.25]), ("/p/flash", [0])]
        await it.saved(BASE + one)
        it.move("/a", 0.75)
        assert await max_.heard(1) == [("/a", [0.75])]
        assert await pd.heard() == []
        assert udp_socket(it.port("max")) == kernel


async def test_another_binding_changes_the_way_and_tells_only_what_was_told_before(
    tmp_path: Path, programs: tuple[Program, Program]
) -> None:
    max_, pd = programs
    peers = osc("max", max_) + osc("pd", pd)
    async with show(tmp_path, BASE + peers) as it:
        kernel = udp_socket(it.port("max"))
        assert await max_.heard(1) == [("/flash", [0])], "momentaries' rest"
        max_.say(it.port("max"), "/hello")
        assert await max_.heard(1) == [("/flash", [0])], "once more, to who was not there"
        it.move("/a", 0.5)
        await max_.heard(1)
        await pd.heard(2)
        bound = BASE.replace('path = "/a"', 'path = "/a"\n[control.osc.max]\naddress = "/x"').replace(
            "range = [0, 10]", 'range = [0, 10]\n[control.osc.max]\naddress = "/y"'
        )
        assert await it.saved(bound + peers) == ["bound anew: osc max"]
        assert udp_socket(it.port("max")) == kernel
        assert await max_.heard(1) == [("/x", [0.5])], "/b was never told: it is not now"
        assert await pd.heard() == []
        max_.say(it.port("max"), "/y", 5.0)
        await eventually(lambda: it.bridge.store.get("/b").value == 5)
        assert await it.saved(BASE + peers) == ["bound anew: osc max"]
        assert sorted(await max_.heard(2)) == [("/a", [0.5]), ("/b", [5.0])]


async def test_many_controls_change_in_slices_and_what_moves_between_is_said_in_the_new_way(
    tmp_path: Path, programs: tuple[Program, Program]
) -> None:
    max_, _ = programs
    many = '[[control]]\nrepeat = 1500\npath = "/many/{n}"\n'
    bound = many + '[control.osc.max]\naddress = "/x/{n}"\n'
    async with show(tmp_path, many + osc("max", max_)) as it:
        turn, changed, is_over = 0, Counter[int](), False
        last = [f"/many/{number}" for number in range(1490, 1501)]
        waiting = last[:]

        async def turns() -> None:
            nonlocal turn
            while not is_over:
                await asyncio.sleep(0)
                turn += 1
                if changed and waiting:
                    it.move(waiting.pop(), 0.5)

        it.bridge.store.subscribe(lambda changes: changed.update([turn] * (changes[0].what == "described")))
        going = asyncio.create_task(turns())
        await it.saved(bound.replace("repeat", 'label = "L"\nrange = [0, 2]\nrepeat') + osc("max", max_))
        is_over = True
        await going
        assert sum(changed.values()) == 1500
        assert max(changed.values()) < 750, "a fader has its turn between"
        heard = dict(await max_.heard(len(last)))
        assert [heard.get(path.replace("many", "x")) for path in last] == [[0.5]] * len(last)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.0.0.1:{port}"], ids=["own-socket", "shared-socket"])
async def test_a_peer_with_many_controls_is_opened_anew_in_slices_and_misses_nothing_that_happens_between(
    tmp_path: Path, programs: tuple[Program, Program], listen: str
) -> None:
    max_, pd = programs
    listen = listen.format(port=free_udp_port())
    text = '[[control]]\nrepeat = 800\npath = "/many/{n}"\n'
    if not listen.endswith(":0"):
        text += osc("pd", pd, 'from = ["127.0.0.3"]\nmirror = false', listen)
    before = osc("max", max_, 'from = ["127.0.0.2"]', listen)
    async with show(tmp_path, text + before) as it:
        store, calls, slices, is_over = it.bridge.store, 0, list[int](), False
        gone = store.get("/many/2")

        def count(frame: object, event: str, arg: object) -> None:
            nonlocal calls
            calls += event == "call"

        async def turns() -> None:
            nonlocal calls
            while not is_over:
                await asyncio.sleep(0)
                if calls > IDLE_CALLS:
                    slices.append(calls)
                calls = 0
                if sum(slices) > 38_000 and gone.is_there:  # while it is bound
                    store.remove(gone, now=it.bridge.clock(), origin=HAND)
                    store.add(Control(path="/late"), now=it.bridge.clock(), origin=HAND)
                    it.move("/many/1", 0.25)
                    it.move("/many/800", 0.5)

        going = asyncio.create_task(turns())
        sys.setprofile(count)
        try:
            await it.saved(text + before + 'on_connect = "push"\n')
        finally:
            sys.setprofile(None)
            is_over = True
        await going
        assert max(slices) < sum(slices) / 4, "a fader has its turn between"
        heard = dict(await max_.heard(800))
        assert len(heard) == 800
        assert (heard["/many/1"], heard["/many/800"]) == ([0.25], [0.5])
        assert "/many/2" not in heard
        it.move("/late", 1.0)
        assert await max_.heard(1) == [("/late", [1.0])]


async def test_what_says_a_value_otherwise_is_said_anew(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    max_, _ = programs
    text = BASE.replace("range = [0, 10]", "range = [0, 10]\n[control.osc.max]\nrange = [0.0, 1.0]") + osc("max", max_)
    async with show(tmp_path, text) as it:
        assert await max_.heard(1) == [("/flash", [0])], "momentaries' rest"
        it.move("/b", 5)
        it.move("/a", 0.5)
        assert await max_.heard(2) == [("/b", [0.5]), ("/a", [0.5])]
        await it.saved(text.replace("range = [0, 10]", "range = [0, 20]"))
        assert it.bridge.store.get("/b").value == 5
        assert await max_.heard(1) == [("/b", [0.25])]


async def test_a_label_that_the_desk_has_given_stays(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    desk, _ = programs
    text = BASE.replace("range = [0, 10]", 'range = [0, 10]\n[control.osc.desk]\naddress = "/f"\nlabel = "/n"')
    text += osc("desk", desk)
    async with show(tmp_path, text) as it:
        desk.say(it.port("desk"), "/n", "Drums")
        await eventually(lambda: it.bridge.store.get("/b").control.label == "Drums")
        await it.saved(text.replace("[0, 10]", "[0, 20]"))
        assert it.bridge.store.get("/b").control.label == "Drums"
        assert it.bridge.store.get("/b").control.range == (0, 20)
        desk.say(it.port("desk"), "/n", "Bass")
        await eventually(lambda: it.bridge.store.get("/b").control.label == "Bass")
        assert it.bridge.store.get("/b").control.range == (0, 20), "the name brings nothing old back"


async def test_a_page_and_the_file_hand_a_control_to_each_other(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "mine.html").write_text('<input class="sync" id="slider" type="range" min="0" max="1">')
    async with show(tmp_path, BASE) as it:
        entry = it.bridge.store.get("/slider")
        it.move("/slider", 1.0)
        assert entry.control.owner == "page"
        await it.saved(BASE + '[[control]]\npath = "/slider"\nkind = "int"\nrange = [0, 1]\n')
        mine = it.bridge.store.get("/slider")
        assert (mine.control.owner, mine.control.kind) == ("config", "int")
        await it.saved(BASE + '[[control]]\npath = "/slider"\n')
        mine = it.bridge.store.get("/slider")
        it.move("/slider", 0.5)
        await it.saved(BASE)
        assert it.bridge.store.get("/slider").control.owner == "page"


async def test_a_connection_over_tcp_stays(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    max_, _ = programs
    controls = BASE[: BASE.rindex("[[control]]")]
    connections: list[asyncio.StreamWriter] = []
    got = asyncio.Queue[bytes]()

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while data := await reader.read(4096):
            got.put_nowait(data)
        writer.close()

    async with await asyncio.start_server(taken, "127.0.0.1", 0) as server:
        number = server.sockets[0].getsockname()[1]
        tcp = f'[[osc]]\nname = "far"\ntransport = "tcp-slip"\nsend = ["127.0.0.1:{number}"]\n'
        async with show(tmp_path, controls + tcp + osc("max", max_)) as it:
            await eventually(lambda: it.peer("far")["connected"] == 1)
            it.move("/a", 0.5)
            assert b"/a" in await got.get()
            await it.saved(controls + '[[control]]\npath = "/new"\n' + tcp + osc("max", max_, "rate = 100"))
            it.move("/new", 0.5)
            assert b"/new" in await got.get()
            assert (len(connections), it.peer("far")["connected"]) == (1, 1)
            assert got.empty(), "and it was sent nothing else"
            await it.saved(BASE)
            assert it.bridge.ports == []


async def test_pages_folder_panic_title_and_state_file_follow(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "theirs.html").write_text('<input class="sync" id="theirs" type="range" min="0" max="1">')
    async with show(tmp_path, BASE) as it:
        it.move("/a", 0.5)
        it._head = it._head.replace(str(tmp_path / "pages"), str(tmp_path / "other")) + 'title = "Other"\n'
        told = await it.saved('[state]\nfile = "other.db"\n[panic]\n"/a" = 0.25\n' + BASE)
        assert told == ["changed: [panic], [state], [http] title, [http] pages"]
        assert it.bridge.store.find("/theirs") is not None
        assert it.bridge.store.surface["title"] == "Other"
        await eventually(lambda: it.bridge.health()["state"]["file"].endswith("other.db"))
        await eventually((tmp_path / "state" / "other.db").exists)
        it.bridge.store.trigger(it.bridge.store.get("/stagebridge/panic"), (), HAND, it.bridge.clock())
        assert it.bridge.store.get("/a").value == 0.25
    async with show(tmp_path, '[state]\nfile = "other.db"\n' + BASE) as it:
        assert it.bridge.store.get("/a").value == 0.25


async def test_what_cannot_follow_is_said_and_stays(tmp_path: Path) -> None:
    async with show(tmp_path, BASE) as it:
        number, it._head = it.bridge.http_port, it._head.replace('"127.0.0.1"', '"127.0.0.2"')
        assert await it.saved(BASE) == ['[http] host = "127.0.0.2" needs a restart: it stays "127.0.0.1"']
        assert (it.bridge.config.http.host, it.bridge.http_port) == ("127.0.0.1", number)


async def test_a_name_that_is_taken_out_of_hosts_is_answered_no_more(tmp_path: Path) -> None:
    async with show(tmp_path, 'hosts = ["show.lan", "desk.lan"]\n' + BASE) as it, aiohttp.ClientSession() as client:

        async def status(name: str) -> int:
            url = f"http://127.0.0.1:{it.bridge.http_port}/healthz"
            async with client.get(url, headers={"Host": name}) as answer:
                return answer.status

        assert [await status("show.lan"), await status("desk.lan")] == [200, 200]
        await it.saved('hosts = ["show.lan"]\n' + BASE)
        assert [await status("show.lan"), await status("desk.lan")] == [200, 403]


async def test_a_hundred_reloads_leave_nothing_behind(tmp_path: Path, programs: tuple[Program, Program]) -> None:
    max_, pd = programs
    one = BASE + osc("max", max_) + osc("pd", pd)
    two = BASE.replace("/a", "/z") + osc("max", max_) + osc("pd", pd, "rate = 100") + osc("three", pd)
    async with show(tmp_path, one) as it:

        def there() -> tuple[int, int, int]:
            listening = [one for one in it.bridge.store._subscribers if "Latencies" not in str(one)]  # who come and go
            return len(asyncio.all_tasks()), len(sockets()), len(listening)

        await it.saved(two)
        await it.saved(one)
        before = there()
        for _ in range(50):
            await it.saved(two)
            await it.saved(one)
        assert there() == before
        assert len(it.bridge._presence._peers) == 2


NANO = """
[[midi]]
name = "nano"
device = "nano"
api = "jack"
{more}
[[control]]
path = "/one"
[control.midi.nano]
cc = 1
[[control]]
path = "/two"
[control.midi.nano]
cc = {cc}
"""


async def test_a_midi_device_stays_open_and_is_shown_only_what_is_another(
    tmp_path: Path, programs: tuple[Program, Program], jack: str
) -> None:
    max_, _ = programs
    text = NANO.format(more="", cc=2)
    async with Controller.start(jack, "nano") as nano, show(tmp_path, text + osc("max", max_)) as it:
        await eventually(lambda: it.peer("nano")["state"] == "online")
        assert sorted(await nano.hear_all(2)) == ["b0 01 00", "b0 02 00"]
        it.move("/one", 1.0)
        it.move("/two", 1.0)
        assert await nano.hear_all(2) == ["b0 01 7f", "b0 02 7f"]
        device, sent = _device(it), it.peer("nano")["sent"]
        told = await it.saved(text.replace('"/one"', '"/one"\nlabel = "First"') + osc("max", max_, "rate = 100"))
        assert told == ["1 control changed: /one", "opened anew: osc max"]
        assert await it.saved(NANO.format(more="", cc=3) + osc("max", max_)) == [
            "1 control changed: /one", "opened anew: osc max", "bound anew: midi nano",
        ]  # fmt: skip
        assert await nano.hear() == "b0 03 7f"
        assert (_device(it), it.peer("nano")["sent"]) == (device, sent + 1), "the same line, and nothing else by it"
        nano.send("b0 03 00")
        await eventually(lambda: it.bridge.store.get("/two").value == 0.0)
        nano.send("b0 02 40", "b0 01 00")
        await eventually(lambda: it.bridge.store.get("/one").value == 0.0)
        assert it.bridge.store.get("/two").value == 0.0, "nothing hears the old message any more"
        await it.saved(NANO.format(more="rate = 500", cc=3))
        await eventually(lambda: it.peer("nano")["state"] == "online")
        assert _device(it) != device
        assert sorted(await nano.hear_all(2)) == ["b0 01 00", "b0 03 00"], "it is opened anew, and shown everything"


def _device(it: Show) -> object:
    """The driver's line to it, which compares by identity. Whoever has it keeps it, so no other takes its place."""
    (port,) = [port for port in it.bridge.ports if port.kind == "midi"]
    return port._devices[0]._line  # type: ignore[attr-defined]


async def test_live_stays_connected_while_other_things_of_it_are_named(tmp_path: Path) -> None:
    port = free_udp_port()
    song = Song([Track("Drums"), Track("Bass")])
    async with opened_live(song, port, 0.02) as live:
        peer = f'[[osc]]\nname = "live"\nprofile = "abletonosc"\nhost = "127.0.0.1"\nport = {live.udp_port}\n'
        peer += f'listen = "127.0.0.1:{port}"\nprobe_s = 1\n'
        named = '[[control]]\npath = "/mine"\n[control.osc.live]\nlive = "{}/volume"\n'
        async with show(tmp_path, peer + named.format("Drums")) as it:
            store = it.bridge.store
            await eventually(lambda: store.find("/live/track/bass/volume") is not None)
            kernel, bass = udp_socket(port), store.get("/live/track/bass/volume")
            song.track("Drums").volume.value, song.track("Bass").volume.value = 0.25, 0.5
            await it.saved(peer + named.format("Bass"))
            await eventually(lambda: store.get("/mine").value == 0.5)  # Live's: it comes over a move before it
            it.move("/mine", 1.0)
            await eventually(lambda: song.track("Bass").volume.value == 1.0)
            assert song.track("Drums").volume.value == 0.25
            assert store.get("/live/track/bass/volume") is bass, "what Live has brought is as it was"
            assert udp_socket(port) == kernel

            await it.saved(peer + '[[control]]\npath = "/live/track/bass/volume"\nlabel = "Low end"\n')
            assert (bass.control.owner, bass.control.label) == ("config", "Low end")
            await it.saved(peer + '[[control]]\npath = "/live/track/bass/volume"\nkind = "int"\n')
            assert store.get("/live/track/bass/volume").control.kind == "int"
            await it.saved(peer)
            again = store.get("/live/track/bass/volume")
            assert again.control.owner == "driver", "Live has it back"
            await it.saved(BASE)
            assert not [entry.path for entry in store if entry.path.startswith("/live/")]
            assert all(page["name"] != "Live" for page in store.surface["pages"])


async def test_a_reload_that_hangs_is_given_up_and_the_next_one_goes_on(tmp_path: Path) -> None:
    config = await asyncio.to_thread(parse, '[http]\nhost = "127.0.0.1"\nport = 0\n', KINDS)
    is_over = threading.Event()

    def load_slowly() -> Start:
        is_over.wait()
        return Start(config)

    async with Bridge(config, source=Source(load_slowly, within_s=0.05)) as bridge:
        (problem,) = (await bridge.reload()).problems
        assert problem.message == "cannot be read: a disk does not answer"
        is_over.set()
        assert not (await bridge.reload()).problems


async def test_a_reload_goes_on_to_its_end_before_anything_is_closed(
    tmp_path: Path, programs: tuple[Program, Program]
) -> None:
    is_applied, seen = asyncio.Event(), []

    async def lasts(old: Config, new: Config) -> tuple[str, ...]:
        is_applied.set()
        await asyncio.sleep(0.1)
        seen.append(it.peer("two")["udp_port"])
        return ()

    async with show(tmp_path, BASE) as it:
        it.bridge.followers.append(lasts)
        reloading = asyncio.create_task(it.saved(BASE + osc("two", programs[1])))
        await is_applied.wait()
        open_at = it.port("two")
    assert seen == [open_at]
    assert await reloading == ["opened: osc two"]
    assert (await it.bridge.reload()).problems[0].message == "stagebridge is stopping"


async def test_what_is_still_read_when_the_bridge_stops_changes_nothing(tmp_path: Path) -> None:
    config = await asyncio.to_thread(parse, '[http]\nhost = "127.0.0.1"\nport = 0\n', KINDS)
    is_read, is_over = threading.Event(), threading.Event()

    def load_slowly() -> Start:
        is_read.set()
        is_over.wait()
        return Start(config)

    async with Bridge(config, source=Source(load_slowly)) as bridge:
        reloading = asyncio.create_task(bridge.reload())
        await asyncio.to_thread(is_read.wait)
    is_over.set()
    with pytest.raises(asyncio.CancelledError):
        await reloading


async def test_a_reload_that_hangs_half_way_does_not_keep_the_bridge_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_applied = asyncio.Event()

    async def hangs(old: Config, new: Config) -> tuple[str, ...]:
        is_applied.set()
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr("bridge.reloading.END_S", 0.05)
    async with show(tmp_path, BASE) as it:
        it.bridge.followers.append(hangs)
        reloading = asyncio.create_task(it.saved(BASE + '[[control]]\npath = "/new"\n'))
        await is_applied.wait()
    reloading.cancel()
    assert it.bridge.store.find("/new") is not None


async def test_a_reload_that_stops_half_way_says_so_until_a_restart(tmp_path: Path) -> None:
    async def fails(old: Config, new: Config) -> tuple[str, ...]:
        raise OSError(5, "no such thing")

    async with show(tmp_path, BASE) as it:
        it.bridge.followers.append(fails)
        with pytest.raises(OSError, match="no such thing"):
            await it.saved(BASE + '[[control]]\npath = "/new"\n')
        it.bridge.followers.remove(fails)
        await it.saved(BASE + '[[control]]\npath = "/new"\n')
        assert "half-way: OSError(5, 'no such thing'); restart" in it.bridge.config_trouble
