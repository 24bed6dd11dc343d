"""OSC bytes → messages and bundles. Pure.

A packet that cannot be read raises OscError (where, why) and nothing else; the work is linear in its bytes.
Text is UTF-8 and strict; NaN and infinities, and addresses without "/", pass here: the port refuses them
unless its peer may say them.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from bridge.errors import OscError

from .types import (
    BUNDLE,
    IMPULSE,
    MAX_ARGUMENTS,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_PACKET,
    Argument,
    Bundle,
    Char,
    Double,
    Int64,
    Message,
    Midi,
    Packet,
    Rgba,
    Symbol,
    TimeTag,
)

MAX_PLANS = 8_192  # prefixes that a Decoder keeps: 4,096 controls in two spellings
MAX_PREFIX = 256  # bytes; a longer address and tag string is read the slow way


def decode(packet: bytes) -> Packet:
    """Read one packet. Raises OscError, nothing else; the work is linear in the packet's bytes."""
    return _packet(packet, _read_message)


class Decoder:
    """``decode`` with a memory for the beginnings of messages: address and tags → address and compiled struct.

    Senders repeat themselves, so the beginning is looked up instead of parsed (0.7 µs instead of 2.3 µs for
    one float, CPython 3.11). A beginning is remembered when it is seen for the second time in a message
    that was sound as a whole; what was seen once is kept as a number only. Both memories are capped:
    the oldest plan leaves, the set of numbers starts afresh. So junk neither grows nor empties them.
    """

    def __init__(self, max_plans: int = MAX_PLANS) -> None:
        self._max = max_plans
        self._plans: dict[bytes, _Plan] = {}
        self._seen: set[int] = set()

    def __len__(self) -> int:
        """How many beginnings are remembered."""
        return len(self._plans)

    def decode(self, packet: bytes) -> Packet:
        """Read one packet. Raises OscError, nothing else."""
        plan = self._plans.get(packet[:-4])  # one argument of 4 bytes, as nearly always
        if plan is not None and plan[1] == 4:
            return _plain_message((plan[0], plan[2](packet, plan[3]), True))
        return _packet(packet, self._message)

    def _message(self, data: bytes, start: int, end: int) -> Message:
        tags_at = (data.find(b"\0", start, end) + 4) & ~3
        stop = data.find(b"\0", tags_at, end)
        if stop < 0 or data[tags_at] != 0x2C:
            return _read_message(data, start, end)  # no tags, or unsound: it says where
        after = (stop + 4) & ~3
        prefix = data[start:after]
        plan = self._plans.get(prefix)
        if plan is None:
            message = _read_message(data, start, end)
            self._remember(prefix, message, data[tags_at + 1 : stop])
            return message
        if end - after != plan[1]:
            return _read_message(data, start, end)  # cut short, or too long
        return Message(plan[0], plan[2](data, after))

    def _remember(self, prefix: bytes, message: Message, tags: bytes) -> None:
        if len(prefix) > MAX_PREFIX or tags.strip(b"if"):
            return  # a plan is one struct; text, blobs and rare types are read tag by tag
        number = hash(prefix)
        if number not in self._seen:
            if len(self._seen) >= self._max:
                self._seen.clear()
            self._seen.add(number)
            return
        if len(self._plans) >= self._max:
            del self._plans[next(iter(self._plans))]
        layout = struct.Struct(b">" + tags)
        # The very object by which routes are found: whether it is the same is seen without looking into it.
        self._plans[prefix] = (sys.intern(message.address), layout.size, layout.unpack_from, len(prefix))


_plain_message: Callable[[tuple[str, tuple[Any, ...], bool]], Message] = partial(tuple.__new__, Message)
"""``Message(…)`` without a function of Python's: 0.1 µs."""

_Plan: TypeAlias = tuple[str, int, Callable[[bytes, int], tuple[Any, ...]], int]


def _packet(packet: bytes, read: Callable[[bytes, int, int], Message]) -> Packet:
    size = len(packet)
    if size > MAX_PACKET:
        raise OscError(MAX_PACKET, f"{size} bytes: at most {MAX_PACKET} make a packet")
    if packet[:8] == BUNDLE:
        return _read_bundle(packet, 0, size, read, [MAX_ELEMENTS], 1)
    return read(packet, 0, size)


def _read_bundle(
    data: bytes, start: int, end: int, read: Callable[[bytes, int, int], Message], room: list[int], depth: int
) -> Bundle:
    if depth > MAX_DEPTH:
        raise OscError(start, f"more than {MAX_DEPTH} bundles inside each other")
    if end - start < 16:
        raise OscError(start + 8, f"a bundle's time tag needs 8 bytes, {end - start - 8} are left")
    (tag,) = _UINT64(data, start + 8)
    elements: list[Packet] = []
    at = start + 16
    while at < end:
        if end - at < 4:
            raise OscError(at, f"an element's size needs 4 bytes, {end - at} are left")
        (size,) = _INT32(data, at)
        at += 4
        if size <= 0 or size & 3:
            raise OscError(at - 4, f"an element's size must be a multiple of 4, not {size}")
        if size > end - at:
            raise OscError(at - 4, f"an element says {size} bytes, {end - at} are left")
        room[0] -= 1
        if room[0] < 0:
            raise OscError(at, f"more than {MAX_ELEMENTS} elements in one packet")
        if data[at : at + 8] == BUNDLE:
            elements.append(_read_bundle(data, at, at + size, read, room, depth + 1))
        else:
            elements.append(read(data, at, at + size))
        at += size
    return Bundle(TimeTag(tag), tuple(elements))


def _read_message(data: bytes, start: int, end: int) -> Message:
    address, at = _read_string(data, start, end, "the address")
    if not address or address[0] in "#,":
        raise OscError(start, "the address is empty" if not address else f'an address cannot start with "{address[0]}"')
    if at == end:
        return Message(address, (), False)  # OSC 1.0: older senders leave the tag string out
    if data[at] != 0x2C:
        raise OscError(at, f"no type tags, so {end - at} bytes of arguments cannot be read")
    tags, first = _read_string(data, at, end, "the tag string")
    if len(tags) > MAX_ARGUMENTS:
        raise OscError(at, f"{len(tags)} type tags: at most {MAX_ARGUMENTS} make a message")
    args, rest = _read_arguments(data, first, end, tags, at)
    if rest != end:
        raise OscError(rest, f"{end - rest} bytes after the last argument")
    return Message(address, args)


def _read_arguments(data: bytes, at: int, end: int, tags: str, tags_at: int) -> tuple[tuple[Argument, ...], int]:
    outer: list[list[Argument]] = []
    args: list[Argument] = []
    for index, tag in enumerate(tags):
        if index == 0:
            continue  # the comma
        fixed = _FIXED.get(tag)
        if fixed is not None:
            unpack, size, make = fixed
            if size > end - at:
                raise OscError(at, f'"{tag}" needs {size} bytes, {end - at} are left')
            parts = unpack(data, at)
            args.append(parts[0] if make is None else make(*parts))
            at += size
        elif tag in _EMPTY:
            args.append(_EMPTY[tag])
        elif tag == "s":
            text, at = _read_string(data, at, end, "a text")
            args.append(text)
        elif tag == "S":
            text, at = _read_string(data, at, end, "a symbol")
            args.append(Symbol(text))
        elif tag == "b":
            blob, at = _read_blob(data, at, end)
            args.append(blob)
        elif tag == "[":
            if len(outer) >= MAX_DEPTH:
                raise OscError(tags_at + index, f"more than {MAX_DEPTH} arrays inside each other")
            outer.append(args)
            args = []
        elif tag == "]" and outer:
            outer[-1].append(tuple(args))
            args = outer.pop()
        else:
            # OSC 1.0, "OSC Type Tag String": an unknown tag's data has unknown length.
            why = '"]" without "["' if tag == "]" else f"unknown type tag {tag!r}"
            raise OscError(tags_at + index, why)
    if outer:
        raise OscError(tags_at + len(tags), '"[" without "]"')
    return tuple(args), at


def _read_string(data: bytes, at: int, end: int, what: str) -> tuple[str, int]:
    stop = data.find(b"\0", at, end)
    if stop < 0:
        raise OscError(at, f"{what} does not end")
    after = (stop + 4) & ~3  # OSC 1.0, "OSC Strings": at least one NUL, then to a multiple of 4
    if after > end:
        raise OscError(stop, f"{what} is not padded to a multiple of 4")
    try:
        return data[at:stop].decode(), after
    except UnicodeDecodeError as exc:
        raise OscError(at + exc.start, f"{what} is not UTF-8") from None


def _read_blob(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    if end - at < 4:
        raise OscError(at, f"a blob's size needs 4 bytes, {end - at} are left")
    (size,) = _INT32(data, at)
    after = at + 4 + ((size + 3) & ~3)
    if size < 0 or after > end:
        raise OscError(at, f"a blob says {size} bytes, {end - at - 4} are left")
    return data[at + 4 : at + 4 + size], after


_INT32 = struct.Struct(">i").unpack_from
_UINT64 = struct.Struct(">Q").unpack_from
_FIXED: dict[str, tuple[Callable[[bytes, int], tuple[Any, ...]], int, Callable[..., Argument] | None]] = {
    "i": (_INT32, 4, None),
    "f": (struct.Struct(">f").unpack_from, 4, None),
    "h": (struct.Struct(">q").unpack_from, 8, Int64),
    "d": (struct.Struct(">d").unpack_from, 8, Double),
    "t": (_UINT64, 8, TimeTag),
    "c": (_INT32, 4, Char),
    "r": (struct.Struct(">BBBB").unpack_from, 4, Rgba),
    "m": (struct.Struct(">BBBB").unpack_from, 4, Midi),
}
_EMPTY: dict[str, Argument] = {"T": True, "F": False, "N": None, "I": IMPULSE}
