"""Other people's decoders beside ours, on the same packets: liblo (pyliblo3) and npm's `osc`.

Where they say something else, it is one of the differences below, each with the rule by which it is foreseen: what
they are expected to say is worked out from our reading, and must be what they do say. 5,000 packets here; `make voices`
compares 100,000 (COUNT=… SEED=…).
"""

import json
import math
import os
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.osc.codec import (
    ALL,
    Bundle,
    Char,
    Double,
    Impulse,
    Int64,
    Message,
    Midi,
    Rgba,
    Symbol,
    TimeTag,
    decode,
    encode_message,
    messages,
)

from .oscpackets import Packets
from .peers import missing, require_node

try:
    import pyliblo3
except ImportError:  # no wheel for this machine, and no liblo-dev to build it
    pyliblo3 = None

COUNT = int(os.environ.get("VOICES", "5000"))
SEED = int(os.environ.get("VOICES_SEED", "2"))
HERE = Path(__file__).parent

Said = list[Any]
"""[time tag, address, [[type, text of the value], …]] for each message, in order."""


class Rejected(Exception):
    """The whole packet is refused."""


# ---------------------------------------------------------------------------------- what we read


def spelt(value: Any) -> list[list[str]]:
    """Type and text of one value; of an array its brackets too."""
    match value:
        case tuple() if type(value) is tuple:
            return [["[", ""], *(part for each in value for part in spelt(each)), ["]", ""]]
        case bool():
            return [["T" if value else "F", ""]]
        case None:
            return [["N", ""]]
        case Impulse():
            return [["I", ""]]
        case Char():
            return [["c", str(int(value))]]
        case Int64():
            return [["h", str(int(value))]]
        case TimeTag():
            return [["t", clock(value)]]
        case int():
            return [["i", str(value)]]
        case Double():
            return [["d", real(value)]]
        case float():
            return [["f", real(value)]]
        case Symbol():
            return [["S", str(value)]]
        case str():
            return [["s", value]]
        case bytes():
            return [["b", value.hex()]]
        case Rgba():
            return [["r", bytes(value).hex()]]
        case Midi():
            return [["m", bytes(value).hex()]]
    raise AssertionError(value)


def real(value: float) -> str:
    """Every bit of it."""
    return "nan" if math.isnan(value) else struct.pack(">d", value).hex()


def clock(tag: int) -> str:
    return f"{tag >> 32}:{tag & 0xFFFFFFFF}"


def read(packet: bytes) -> list[tuple[str, Message]]:
    """(time tag, message) of each message, as we read it."""
    decoded = decode(packet)
    if isinstance(decoded, Message):
        return [("", decoded)]
    return [(clock(tag), message) for tag, message in messages(decoded)]


def said(tag: str, message: Message) -> list[Any]:
    return [tag, message.address, [part for value in message.args for part in spelt(value)]]


# ---------------------------------------------------------------------------------- npm osc


OSC_JS = {
    "bare address": "An address without / is refused, and the packet with it.",
    "no type tags": "A message without a type tag string is refused, and the packet with it.",
    "nested array": "It takes the first ] for the end of the outermost [: refused, or read wrongly.",
    "wide character": "A character has 16 bits.",
}


def osc_js(packets: list[bytes]) -> list[Any]:
    """What npm's `osc` says of each packet: Said, or {"error": …}."""
    node = require_node("osc")
    done = subprocess.run(
        [node, HERE / "voices" / "osc_js.mjs"],
        input=b"".join(struct.pack(">i", len(packet)) + packet for packet in packets),
        stdout=subprocess.PIPE,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def foreseen_of_osc_js(packet: bytes, met: Counter[str]) -> Said | None:
    """What it will say, None for nonsense. Raises Rejected."""
    expected, is_refused, is_nonsense = [], False, False
    for tag, message in read(packet):
        if not message.address.startswith("/"):
            met["bare address"] += 1
            is_refused = True
        elif not message.tagged:
            met["no type tags"] += 1
            is_refused = True
        if any(type(inner) is tuple for value in message.args if type(value) is tuple for inner in value):
            met["nested array"] += 1
            is_nonsense = True
        say = said(tag, message)
        for part in say[2]:
            if part[0] == "c" and not 0 <= int(part[1]) < 0x10000:
                met["wide character"] += 1
                part[1] = str(int(part[1]) & 0xFFFF)
        expected.append(say)
    if is_nonsense:
        return None
    if is_refused:
        raise Rejected
    return expected


# ---------------------------------------------------------------------------------- liblo


LIBLO = {
    "bare address": "A message to an address without / is refused.",
    "no type tags": "A message without a type tag string is refused.",
    "array": "A message with an array is refused.",
    "colour": "A message with r is refused.",
    "rest of the bundle": "What follows a refused message in its bundle is left out.",
    "wide character": "A character has 8 bits, and is Latin-1.",
}


class Liblo:
    """liblo's server, which is sent one packet after the other."""

    def __init__(self) -> None:
        self._server = pyliblo3.Server(proto=pyliblo3.UDP)
        self._server.add_method(None, None, self._hear)
        self._heard: list[Any] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", self._server.port))

    def close(self) -> None:
        self._socket.close()
        self._server.free()

    def say(self, packet: bytes) -> Said:
        """What it makes of the packet: the time tags are left out, it does not tell them exactly."""
        self._heard = []
        self._socket.send(packet)
        self._server.recv(0)
        return self._heard

    def _hear(self, path: str, args: list[Any], types: str, *_: Any) -> None:
        parts = [[tag, self._text(tag, value)] for tag, value in zip(types, args, strict=True)]
        self._heard.append(["", path, parts])

    def _text(self, tag: str, value: Any) -> str:
        match tag:
            case "f" | "d":
                return real(value)
            case "c":
                return str(ord(value))
            case "b" | "m":
                return bytes(value).hex()
            case "T" | "F" | "N" | "I":
                return ""
            case "t":
                return f"{value:.3f}"
        return str(value)


def foreseen_of_liblo(packet: Message | Bundle, met: Counter[str]) -> Said:
    """What it will say."""
    if isinstance(packet, Message):
        foreseen = liblos_message(packet, met)
        return [] if foreseen is None else [foreseen]
    expected = []
    for number, element in enumerate(packet.elements, 1):
        if isinstance(element, Bundle):
            expected += foreseen_of_liblo(element, met)
        elif (foreseen := liblos_message(element, met)) is not None:
            expected.append(foreseen)
        else:
            met["rest of the bundle"] += number < len(packet.elements)
            break
    return expected


def liblos_message(message: Message, met: Counter[str]) -> list[Any] | None:
    """None where it refuses it."""
    say = said("", message)
    tags = {part[0] for part in say[2]}
    refusals = {
        "bare address": not message.address.startswith("/"),
        "no type tags": not message.tagged,
        "array": "[" in tags,
        "colour": "r" in tags,
    }
    if any(refusals.values()):
        met.update(name for name, holds in refusals.items() if holds)
        return None
    for part in say[2]:
        if part[0] == "c" and not 0 <= int(part[1]) < 0x100:
            met["wide character"] += 1
            part[1] = str(int(part[1]) & 0xFF)
        elif part[0] == "t":
            seconds, fraction = map(int, part[1].split(":"))
            part[1] = f"{seconds + fraction / 2**32:.3f}"  # as pyliblo3 gives it
    return say


# ----------------------------------------------------------------------------------


def generated(count: int) -> Iterator[bytes]:
    packets = Packets(Random(SEED), nan=True)
    for _ in range(count):
        yield packets.bytes()


def check_all_met(met: Counter[str], table: dict[str, str]) -> None:
    """Each difference occurs, so that none of the table is history."""
    print(f"seed {SEED}, {COUNT:,} packets: {dict(met)}")
    assert {name for name, count in met.items() if count} == set(table)


@pytest.mark.timeout(0 if COUNT > 10_000 else 60)
def test_npm_osc_reads_what_we_read() -> None:
    met: Counter[str] = Counter()
    packets = list(generated(COUNT))
    for packet, heard in zip(packets, osc_js(packets), strict=True):
        try:
            expected = foreseen_of_osc_js(packet, met)
        except Rejected:
            assert isinstance(heard, dict), f"{packet.hex()}: {heard}"
        else:
            assert expected is None or heard == expected, packet.hex()
    check_all_met(met, OSC_JS)


@pytest.mark.timeout(0 if COUNT > 10_000 else 60)
def test_liblo_reads_what_we_read() -> None:
    if pyliblo3 is None:
        missing("pyliblo3 is not installed")
    met: Counter[str] = Counter()
    with closing(Liblo()) as liblo:
        for packet in generated(COUNT):
            expected = foreseen_of_liblo(decode(packet), met)
            assert liblo.say(packet) == expected, packet.hex()
    check_all_met(met, LIBLO)


def liblos_argument(value: Any) -> tuple[Any, ...] | None:
    """(type, value) as pyliblo3 takes them; None for what it cannot write, or not exactly."""
    (tag, _), *others = spelt(value)
    if others or tag == "r" or value == b"":
        return None
    if tag in "TFNI":
        return (tag,)
    if tag == "c":
        return (tag, chr(value)) if 0 < value < 128 else None
    if tag == "t":
        return (tag, float(value >> 32)) if value % 2**32 == 0 else None
    return (tag, tuple(value) if tag == "m" else value)


def test_liblo_writes_what_we_write() -> None:
    if pyliblo3 is None:
        missing("pyliblo3 is not installed")
    packets = Packets(Random(SEED))
    written: Counter[str] = Counter()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as ear:
        ear.bind(("127.0.0.1", 0))
        there = pyliblo3.Address("127.0.0.1", ear.getsockname()[1])
        for _ in range(COUNT):
            message = packets.message()
            args = [found for value in message.args if (found := liblos_argument(value)) is not None]
            args.append(("t", 3_000_000_000.0))
            values = [value for value in message.args if liblos_argument(value) is not None]
            address = "/" + message.address.strip("/")
            pyliblo3.send(there, address, *args)
            assert ear.recv(65_536) == encode_message(address, [*values, TimeTag(3_000_000_000 << 32)], ALL)
            written.update(arg[0] for arg in args)
    assert set(written) == set("ifsbhdtScmTFNI")
