"""What the network can do to the OSC port: mutated packets through the whole of a running bridge, in virtual time.

Nothing is raised, no table grows past its cap, memory stands still, and the work for a packet is bounded by its bytes
and by the values that it means, counted in calls. 100,000 packets here; `make fuzz` sends ten million
(COUNT=… SEED=…). A failure names its seed and packet: the same seed does the same again.
"""

import asyncio
import contextlib
import gc
import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from bridge import log as bridge_log
from bridge import store
from bridge.app import KINDS, Bridge
from bridge.config.loading import parse
from bridge.errors import OscError
from bridge.osc.codec import ALL, Bundle, Decoder, Message, TimeTag, decode, encode, encode_bundle, encode_message
from bridge.osc.codec import messages as messages_of
from bridge.osc.framing import sized, slip
from bridge.osc.incoming import MAX_SCHEDULED, PANIC, REFRESH
from bridge.osc.outgoing import MAX_ASKERS
from bridge.osc.pattern import MAX_CACHED, is_pattern
from bridge.osc.peer import MAX_UNLISTED
from bridge.osc.sources import MAX_SOURCES
from bridge.store import Change

from .oscpackets import Mutations, Packets
from .waiting import SOON_S

COUNT = int(os.environ.get("FUZZ", "100000"))
SEED = int(os.environ.get("FUZZ_SEED", "20"))

STEP_S = 0.0005
"""Virtual time between packets: 2,000 a second."""
TURN = 64
"""Packets between turns of the loop."""
EPOCH = 1_800_000_000.0
"""What the wall clock shows when the virtual one is at 0; time tags are near it."""
PLANS = 128
"""Beginnings that a decoder remembers: few, so that its memory is full before the second half."""
METERED = 8
"""One packet of so many is counted in steps."""
FRESH = 20_000
"""Packets that are made from the same sound ones."""

CONFIG = """
[http]
host = "127.0.0.1"
port = 0

[[osc]]
name = "max"
listen = "127.0.0.1:0"
send = ["127.0.0.1:{ear}", "127.0.0.2:{ear}"]
touch = "{{path}}/z"

[[osc]]
name = "desk"
prefix = "/d"
listen = "127.0.0.1:0"
send = ["127.0.0.1:{ear}"]
mirror = false

[[osc]]
name = "slip"
transport = "tcp-slip"
listen = "127.0.0.1:0"

[[osc]]
name = "size"
transport = "tcp-length"
listen = "127.0.0.1:0"

[[osc]]
name = "any"
bare_addresses = true
listen = "127.0.0.1:0"
send = "last"
auto = true
auto_max = 64
from = ["127.0.0.0/8", "10.0.0.0/8"]

[[control]]
repeat = 8
path = "/mixer/{{n}}/volume"
[control.osc.desk]
address = "/ch/{{n:02}}/mix/fader"
touch = "/ch/{{n:02}}/touch"

[[control]]
repeat = 4
path = "/mixer/{{n}}/mute"
kind = "bool"
[control.osc.desk]
address = "/ch/{{n:02}}/mix/on"
range = [1, 0]

[[control]]
path = "/cutoff"
range = [20, 20000]
curve = "log"
limit = [20, 10000]
hold = "first"
[control.osc.desk]
address = "/synth"
args = ["cutoff", "{{value}}"]

[[control]]
path = "/steps"
kind = "int"
range = [0, 127]

[[control]]
path = "/push"
momentary = true

[[control]]
path = "/wave"
choices = ["sine", "saw", "a b"]
[control.osc.desk]
address = "/synth"
args = ["wave"]
as = "text"

[[control]]
path = "/name"
kind = "string"

[[control]]
path = "/wash"
kind = "color"

[[control]]
path = "/xy"
kind = "vector"
[[control.osc.desk]]
address = "/x"
component = 0
range = [-1, 1]
[[control.osc.desk]]
address = "/y"
component = 1

[[control]]
path = "/go"
kind = "trigger"

[[control]]
path = "/loud"
kind = "meter"
"""

BASE = 2_000
PER_BYTE = 40
PER_VALUE = 500
PER_EVENT = 20_000
"""Calls and returns, C's too, that a packet may cost: at all, for each byte, for each value that it means, for each
line in the log, each control that it makes or changes, each peer that comes or goes with it."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with a clock in the test's hands."""

    now = 0.0
    _free_since: float | None = None

    def time(self) -> float:
        return self.now if self._free_since is None else self.now + time.monotonic() - self._free_since

    def free(self) -> None:
        """From now on the clock runs by itself: whoever closes waits for a while."""
        self._free_since = time.monotonic()


LOOPS = {"virtual": VirtualLoop}


class Stage:
    """A running bridge, two programs that never read what they are sent, and whoever wants to speak."""

    def __init__(self, bridge: Bridge, loop: VirtualLoop, ears: list[tuple[str, int]]) -> None:
        self.bridge = bridge
        self.loop = loop
        self.ports: list[Any] = [port for port in bridge.ports if port.udp_port is not None]  # type: ignore[attr-defined]
        self.tcp_ports: list[Any] = [port for port in bridge.ports if port not in self.ports]
        for port in (*self.ports, *self.tcp_ports):
            port._receiver._wall_clock = lambda: EPOCH + loop.now
            port._receiver._decode = Decoder(PLANS).decode
        mouths = [*ears, ("127.0.0.1", 40_000), ("127.0.0.3", 9), ("10.1.1.1", 40_000), ("10.1.1.2", 1)]
        self.mouths: list[tuple[Any, tuple[str, int]]] = [(port, mouth) for port in self.ports for mouth in mouths]
        self.mouths += [(self.ports[2], ("192.168.1.1", 5_000))]  # none of that table's
        addresses = sorted(
            {address for port in self.ports for peer in port._peers for address in peer.routes.addresses}
        )
        self.controls = len(bridge.store) + 64  # some are learnt
        self.values = 2 * self.controls  # what one pattern can mean, both components of a vector counted
        touches = [f"/ch/{n:02}/touch" for n in range(1, 9)] + ["/push/z", "/cutoff/z", "/xy/z"]
        self.addresses = [*addresses, *touches, REFRESH, "/stagebridge/panic"]
        self.addresses += [f"/d{address}" for address in addresses if address.startswith("/ch/")]
        self._watch: Any = None
        self.events = 0
        """Controls made or changed, peers that came or went: every port looks at every control."""
        bridge.store.subscribe(self._note)

    def _note(self, changes: Sequence[Change]) -> None:
        self.events += sum(
            change.what in ("added", "described", "mark") or change.entry.path.startswith("/stagebridge/peers/")
            for change in changes
            if change.what != "surface"
        )

    def value(self, path: str) -> Any:
        return self.bridge.store.get(path).value

    def watch(self, is_on: bool) -> None:
        """Somebody looks at the monitor, and takes what there is."""
        monitor = self.bridge.monitor
        if is_on and self._watch is None:
            self._watch = monitor.watch(None, "/{mixer,n*}", lambda: None)
        elif not is_on and self._watch is not None:
            monitor.unwatch(self._watch)
            self._watch = None
        while self._watch is not None and self._watch.take() is not None:
            pass

    def corpus(self, rng: Random, count: int) -> list[bytes]:
        """Sound packets, most of them for controls that there are."""
        packets = Packets(rng, self.addresses, nan=True)
        found = [packets.bytes() for _ in range(count)]
        for number in range(count // 20):  # soon, as a sequencer has it
            tag = TimeTag.from_unix(EPOCH + self.loop.now + rng.uniform(-1, 1.5) + number * 20 * STEP_S * FRESH / count)
            found.append(encode(Bundle(tag, (packets.message(), packets.message())), ALL))
        for address in self.addresses:
            found += [encode_message(address, (rng.random(),)), encode_message(address, (rng.choice((0, 1)),))]
            found += [encode_message(address), encode_message(address, ("a b",))]
        found += [
            encode_message(pattern, (0.5,)) for pattern in ("/*", "//volume", "/mixer/[1-4]/{volume,mute}", "//*")
        ]
        return found

    def tables(self) -> list[tuple[str, int, int]]:
        """(name, how full, cap) of each table that the network feeds."""
        most = max(len(entry.holders) for entry in self.bridge.store)
        found = [("store", len(self.bridge.store), self.controls), ("holders", most, store.MAX_HOLDERS)]
        for port in (*self.ports, *self.tcp_ports):
            receiver, out = port._receiver, port._out
            decoder = receiver._decode.__self__
            found += [
                ("plans", len(decoder), PLANS),
                ("beginnings", len(decoder._seen), PLANS),
                ("sources", len(receiver.sources.at), MAX_SOURCES),
                ("scheduled", len(receiver._scheduled), MAX_SCHEDULED),
                ("askers", len(out._askers), MAX_ASKERS),
                ("causes", len(port._once._causes), bridge_log.MAX_CAUSES),
            ]
            for peer in port._peers:
                found += [
                    ("patterns", len(peer.routes.tree._cache), MAX_CACHED),
                    ("asked patterns", len(peer.routes._path_tree._cache), MAX_CACHED),
                    ("unlisted", len(peer._unlisted), MAX_UNLISTED),
                ]
                for target in peer.targets:
                    found += [
                        ("owed", len(target.owed), 2 * self.controls + store.TRIGGER_RING),
                        ("guards", len(target.echoes.guards), self.values),
                        ("fired", len(target.fired), self.values),
                    ]
        return found


class Meter:
    """Counts calls and returns, Python's and C's, while it is on."""

    def __init__(self) -> None:
        self.steps = 0

    def _note(self, frame: FrameType, event: str, arg: Any) -> None:
        self.steps += 1

    def cost(self, work: Callable[[bytes, Any], None], data: bytes, mouth: Any) -> int:
        self.steps = 0
        sys.setprofile(self._note)
        try:
            work(data, mouth)
        finally:
            sys.setprofile(None)
        return self.steps


class Witness(logging.Handler):
    """Keeps what must not happen: errors and tracebacks. Counts the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        self.bad: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1
        record.getMessage()  # as it would be written
        if record.levelno >= logging.ERROR or record.exc_info:
            self.bad.append(record.getMessage())


def reach(packet: bytes, values: int) -> tuple[int, int]:
    """(messages, values) that a packet may mean: pattern, refresh or panic up to all there are, but not for ever."""
    try:
        decoded = decode(packet)
    except OscError:
        return 0, 0
    found = [message for _, message in messages_of(decoded)] if isinstance(decoded, Bundle) else [decoded]
    wide = sum(1 for message in found if is_pattern(message.address) or message.address in (REFRESH, PANIC))
    return len(found), wide * values


def allowed(packet: bytes, values: int, events: int) -> int:
    """Steps that a packet may cost which has brought so many lines, and controls."""
    said, meant = reach(packet, values)
    return BASE + PER_BYTE * len(packet) + PER_VALUE * (said + meant) + PER_EVENT * events


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@asynccontextmanager
async def staged(tmp_path: Path) -> AsyncIterator[Stage]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.now = 100.0
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        ear.bind(("127.0.0.1", 0))
        udp_port = ear.getsockname()[1]
        other.bind(("127.0.0.2", udp_port))
        config = parse(CONFIG.format(ear=udp_port), KINDS, tmp_path, "config.toml")
        async with Bridge(config, clock=loop.time) as bridge:
            try:
                yield Stage(bridge, loop, [("127.0.0.1", udp_port), ("127.0.0.2", udp_port)])
            finally:
                loop.free()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


@pytest.fixture
def witness() -> Iterator[Witness]:
    handler = Witness()
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


@pytest.mark.timeout(0 if COUNT > 1_000_000 else 300)
async def test_mutated_packets_raise_nothing_keep_nothing_and_cost_what_they_weigh(
    stage: Stage, witness: Witness
) -> None:
    rng = Random(SEED)
    mutations = Mutations(rng, ())
    failures: list[str] = []
    stage.loop.set_exception_handler(lambda loop, context: failures.append(repr(context)))
    meter = Meter()
    settled, began, said = (0, 0), time.process_time(), 0
    dearest, total_bytes = (0.0, b""), 0
    for number in range(COUNT * 5 // 4):
        if number % FRESH == 0:
            mutations.corpus = stage.corpus(rng, 3_000)
        data = mutations.next() if number % 5 else mutations.sound()
        total_bytes += len(data)
        port, mouth = stage.mouths[int(rng.random() * len(stage.mouths))]
        if rng.getrandbits(5) == 0:  # somebody new
            mouth = (mouth[0], 1024 + rng.getrandbits(15))
        events = witness.lines + stage.events
        try:
            if number % METERED:
                steps = 0
                port._receiver.receive(data, mouth)
            else:
                steps = meter.cost(port._receiver.receive, data, mouth)
        except BaseException as exc:
            exc.add_note(f"seed {SEED}, packet {number}, {data.hex()} from {mouth} to {port.name}")
            raise
        if steps > BASE:
            most = allowed(data, stage.values, witness.lines + stage.events - events)
            dearest = max(dearest, (steps / most, data))
            assert steps <= most, (
                f"seed {SEED}, packet {number} costs {steps} of {most} steps: {data.hex()} to {port.name}"
            )
        stage.loop.now += STEP_S
        if number % TURN == 0:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            stage.watch(number // FRESH % 2 == 1)
            assert not failures, f"seed {SEED}, packet {number}: {failures}"
        if number % 10_000 == 9_999:
            for name, size, cap in stage.tables():
                assert size <= cap, f"seed {SEED}, packet {number}: {name} has {size}, at most {cap}"
        if number == COUNT * 5 // 8:
            gc.collect()
            settled = sys.getallocatedblocks(), resident()
        if COUNT > 1_000_000 and time.process_time() - began > (said + 1) * 30:
            said += 1
            fullest = {name: size for name, size, _ in sorted(stage.tables(), key=lambda table: table[1])}
            print(f"{number:,} packets, {resident() / 1e6:.1f} MB, {fullest}", file=sys.stderr)
    gc.collect()
    blocks, memory = sys.getallocatedblocks() - settled[0], resident() - settled[1]
    took_s = time.process_time() - began
    print(
        f"seed {SEED}: {COUNT:,} mutated packets, {COUNT // 4:,} sound ones, {total_bytes:,} bytes, "
        f"{took_s:.0f} s of CPU"
    )
    print(f"in the second half {blocks:+,} blocks and {memory / 1e6:+.2f} MB; {witness.lines} lines in the log")
    print(f"the dearest took {100 * dearest[0]:.0f} % of what it may: {dearest[1].hex()}")
    assert not failures, f"seed {SEED}: {failures}"
    assert not witness.bad, f"seed {SEED}: {witness.bad[:3]}"
    assert memory < 8 << 20
    assert blocks < 20_000
    assert witness.lines <= 200 + 2 * took_s + 0.5 * stage.loop.now, f"seed {SEED}: {witness.lines} lines"
    sent = [port.health()[0] for port in stage.ports]
    assert all(one["received"] > COUNT / 10 and one["bad"] > COUNT / 100 for one in sent)


# ---------------------------------------------------------------------------------- streams


class Speaker:
    """A program that speaks over TCP, and does not look at what it is sent but takes it."""

    def __init__(self, rng: Random, port: Any) -> None:
        self._rng = rng
        self._port = port
        self._reader: Any = None
        self._writer: Any = None
        self._ear: Any = None
        self.connections = 0

    async def say(self, stream: bytes) -> None:
        """Connects first, where it is not connected."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port.tcp_port)
            self._ear = asyncio.create_task(self._listen(self._reader))
            self.connections += 1
        while stream:
            size = 1 + int(self._rng.random() ** 3 * 4_000)
            with contextlib.suppress(ConnectionError):
                self._writer.write(stream[:size])
                await self._writer.drain()
            stream = stream[size:]
            await asyncio.sleep(0)
        if self._ear.done():
            await self.go()

    async def go(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
            await asyncio.wait([self._ear])
            self._writer = None

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass


@pytest.mark.timeout(0 if COUNT > 1_000_000 else 300)
@pytest.mark.parametrize("framing", ["slip", "size"])
async def test_mutated_streams_raise_nothing_and_the_next_one_is_heard(
    framing: str, stage: Stage, witness: Witness
) -> None:
    rng = Random(SEED)
    mutations = Mutations(rng, stage.corpus(rng, 1_000))
    port = next(port for port in stage.tcp_ports if port._peers[0].name == framing)
    frame = slip if framing == "slip" else sized
    failures: list[str] = []
    stage.loop.set_exception_handler(lambda loop, context: failures.append(repr(context)))
    speaker = Speaker(rng, port)
    for number in range(COUNT // 500):
        packets = [mutations.next() if rng.getrandbits(2) == 0 else mutations.sound() for _ in range(50)]
        frames = [frame(packet + bytes(-len(packet) % 4)) for packet in packets]
        stream = bytearray(b"".join(frames))
        for _ in range((0, 0, 1, 2)[rng.getrandbits(2)]):
            at = int(rng.random() * len(stream))
            if rng.getrandbits(1):
                stream[at] = rng.choice(b"\xc0\xdb\xdc\0/#")
            else:
                del stream[at : at + rng.getrandbits(4)]
        await speaker.say(bytes(stream))
        if rng.getrandbits(6) == 0:
            await speaker.go()
        stage.loop.now += 50 * STEP_S
        assert not failures, f"seed {SEED}, stream {number}: {failures}"
    await speaker.go()
    for value in (11, 99):  # not what it is
        await speaker.say(frame(encode_message("/steps", (value,))))
        await turn_until(lambda value=value: stage.value("/steps") == value)  # type: ignore[misc]
        await speaker.go()
    health = port.health()[0]
    print(f"{framing}: {COUNT // 10:,} frames, {speaker.connections} connections, {health}")
    for name, size, cap in stage.tables():
        assert size <= cap, f"seed {SEED}: {name} has {size}, at most {cap}"
    assert not failures, f"seed {SEED}: {failures}"
    assert not witness.bad, f"seed {SEED}: {witness.bad[:3]}"
    assert health["received"] > COUNT / 100
    assert len(port._receiver.sources._connected) <= 1
    assert len(port._peers[0].targets) <= 1


# ---------------------------------------------------------------------------------- what was found once


async def test_who_asks_in_a_bundle_for_later_and_hangs_up_is_not_answered(stage: Stage) -> None:
    failures: list[str] = []
    stage.loop.set_exception_handler(lambda loop, context: failures.append(repr(context)))
    port = stage.tcp_ports[0]
    speaker = Speaker(Random(1), port)
    later = TimeTag.from_unix(EPOCH + stage.loop.now + 0.5)
    await speaker.say(slip(encode_bundle(later, [encode_message("/steps")])))
    await turn_until(lambda: bool(port._receiver._scheduled))
    await speaker.go()
    await turn_until(lambda: not port._peers[0].targets)
    stage.loop.now += 1
    await turn_until(lambda: not port._receiver._scheduled)
    assert not failures


async def test_those_who_cannot_be_reached_do_not_keep_others_from_an_answer(stage: Stage) -> None:
    port = stage.ports[0]
    for number in range(2 * MAX_ASKERS):
        port._receiver.receive(encode_message(REFRESH), ("10.1.1.1", 1_024 + number))  # we are at 127.0.0.1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as patch:
        patch.bind(("127.0.0.1", 0))
        patch.setblocking(False)
        for _ in range(1_000):
            stage.loop.now += 0.01
            await asyncio.sleep(0)
        port._receiver.receive(encode_message("/steps"), patch.getsockname())
        assert decode(await stage.loop.sock_recv(patch, 1_000)) == Message("/steps", (stage.value("/steps"),))


async def turn_until(is_so: Callable[[], bool]) -> None:
    """Turns of the loop until it is so; no time passes."""
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


# ---------------------------------------------------------------------------------- the dearest packets of each size


def bundle_of(messages: list[bytes], tag: int = 1) -> bytes:
    return encode_bundle(tag, messages)


def filled(size: int, make: Callable[[int], bytes]) -> list[bytes]:
    """As many messages as go into so many bytes."""
    found: list[bytes] = []
    while size > 0:
        found.append(make(len(found)))
        size -= len(found[-1]) + 4
    return found


def nested(size: int) -> bytes:
    """Bundles in bundles as deep as may be, side by side."""
    deep = encode_message("/steps", (5,))
    for _ in range(14):
        deep = encode_bundle(1, [deep])
    return bundle_of(filled(size, lambda n: deep))


def tagged(tags: str, data: bytes = b"") -> bytes:
    """A message that is made of type tags."""
    text = ("," + tags).encode()
    return b"/x\0\0" + text + bytes(4 - len(text) % 4) + data


DEAR: dict[str, Callable[[int], bytes]] = {
    "one text": lambda size: encode_message("/name", ("x" * size,)),
    "one address": lambda size: encode_message("/x" * (size // 2), (1,)),
    "an address of slashes": lambda size: encode_message("/" * size, (1,)),
    "an address of stars": lambda size: encode_message("/" + "*" * size, (1,)),
    "an address that does not end": lambda size: b"/" * size,
    "one blob": lambda size: encode_message("/name", (bytes(size),)),
    "tags without data": lambda size: tagged("T" * min(size, 4_000)),
    "numbers": lambda size: encode_message("/xy", tuple(range(min(size // 5, 4_000)))),
    "empty texts": lambda size: encode_message("/name", ("",) * min(size // 5, 4_000)),
    "empty arrays": lambda size: tagged("[]" * min(size // 2, 2_000)),
    "arrays in arrays": lambda size: tagged(("[" * 15 + "]" * 15) * min(size // 30, 130)),
    "arrays that do not end": lambda size: tagged("[" * size),
    "triggers with arguments": lambda size: encode_message("/go", tuple(range(min(size // 5, 4_000)))),
    "bundles in bundles": nested,
    "empty bundles": lambda size: bundle_of([encode_bundle(1, [])] * (size // 20)),
    "known controls": lambda size: bundle_of(filled(size, lambda n: encode_message("/steps", (n % 128,)))),
    "questions": lambda size: bundle_of(filled(size, lambda n: encode_message("/steps"))),
    "triggers": lambda size: bundle_of(filled(size, lambda n: encode_message("/go", (n,)))),
    "wrong types": lambda size: bundle_of(filled(size, lambda n: encode_message("/steps", ("x",)))),
    "nobody's addresses": lambda size: bundle_of(filled(size, lambda n: encode_message(f"/n/{n}", (1,)))),
    "a pattern": lambda size: bundle_of(filled(size, lambda n: encode_message("/*", (n,)))),
    "many patterns": lambda size: bundle_of(filled(size, lambda n: encode_message(f"/{{{n},steps}}", (n % 128,)))),
    "refreshes": lambda size: bundle_of(filled(size, lambda n: encode_message(REFRESH))),
    "many refreshes": lambda size: bundle_of(filled(size, lambda n: encode_message(REFRESH, (f"/{n}*",)))),
    "panic": lambda size: bundle_of(filled(size, lambda n: encode_message("/stagebridge/panic"))),
    "a bundle for later": lambda size: bundle_of(
        filled(size, lambda n: encode_message("/steps", (n % 128,))), TimeTag.from_unix(EPOCH + 1_000)
    ),
}


class LineMeter(Meter):
    """Counts lines of Python too: a loop need not call anything."""

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.steps += 1
        return self._trace

    def cost(self, work: Callable[[bytes, Any], None], data: bytes, mouth: Any) -> int:
        sys.settrace(self._trace)
        try:
            return super().cost(work, data, mouth)
        finally:
            sys.settrace(None)


@pytest.mark.parametrize("kind", DEAR)
async def test_a_packet_of_twice_the_size_is_twice_the_work_at_most(kind: str, stage: Stage) -> None:
    """Counted in lines and calls, not in time."""
    meter = LineMeter()
    port, mouth = stage.mouths[0]
    port._receiver.receive(encode_message("/name", ("warm",)), mouth)
    costs = {}
    for size in (1_000, 2_000, 4_000):
        stage.loop.now += 1_000  # allowances are full again
        for _ in range(100):
            stage.loop.now += 0.01  # and nobody is owed anything
            await asyncio.sleep(0)
        data = DEAR[kind](size)
        costs[len(data)] = meter.cost(port._receiver.receive, data, mouth)
    print(kind, costs)
    for (size, cost), (twice, more) in itertools.pairwise(costs.items()):
        assert more <= cost * max(1.0, twice / size) * 1.2 + 3_000
