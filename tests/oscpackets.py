"""OSC packets by the million, from a seed: valid ones of every type, and what becomes of them on a bad day."""

import math
import struct
from collections.abc import Sequence
from random import Random
from typing import Any

from bridge.osc.codec import (
    ALL,
    IMMEDIATELY,
    IMPULSE,
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
    encode,
)

WORDS = ("volume", "1", "42", "é♫", "ch", "a b", "𝄞", "x" * 30, "", "pan", "node", "~", "Größe")
PATTERNS = ("/*", "/mixer/[1-4]/{volume,pan}", "//volume", "/?", "/a/*/b?", "/[!x]*")
NUMBERS = (0, 1, -1, 2, 127, 128, 255, 2**31 - 1, -(2**31), 16_777_217)
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 3.4028234663852886e38, math.inf, -math.inf, 1e-10)


class Packets:
    """Valid packets. ``addresses`` are drawn from, besides those that are made up; with ``nan`` a float may be NaN."""

    def __init__(self, rng: Random, addresses: Sequence[str] = (), nan: bool = False) -> None:
        self._rng = rng
        self._addresses = addresses
        self._nan = nan
        self._makers = (
            self._int, self._int, self._float, self._float, self._float, self._text, self._text, self._blob,
            self._int64, self._double, self._time, self._symbol, self._char, self._rgba, self._midi,
            self._single, self._single, self._array,
        )  # fmt: skip

    def packet(self) -> Packet:
        """A message, or one time in six a bundle."""
        return self._bundle(1) if self._rng.random() < 0.16 else self.message()

    def bytes(self) -> bytes:
        """The same, written."""
        return encode(self.packet(), ALL)

    def message(self) -> Message:
        rng = self._rng
        if rng.random() < 0.04:
            return Message(self._address(), (), tagged=rng.random() < 0.5)
        count = rng.choice((1, 1, 1, 1, 2, 3, 4, 7))
        return Message(self._address(), tuple([self.argument() for _ in range(count)]))

    def argument(self, depth: int = 0) -> Any:
        """One value of any type, an array now and then."""
        if depth < 4:
            return self._rng.choice(self._makers)(depth)
        return self._int(depth)

    def _bundle(self, depth: int) -> Bundle:
        rng = self._rng
        elements = [
            self._bundle(depth + 1) if depth < 5 and rng.random() < 0.2 else self.message()
            for _ in range(rng.choice((0, 1, 1, 2, 3, 5)))
        ]
        return Bundle(IMMEDIATELY if rng.random() < 0.7 else self._time(0), tuple(elements))

    def _address(self) -> str:
        rng = self._rng
        chance = rng.random()
        if self._addresses and chance < 0.6:
            return rng.choice(self._addresses)
        if chance > 0.97:
            return rng.choice(PATTERNS)
        if chance > 0.95:
            return rng.choice(("node", "mixer/1", "é"))  # bare, as some programs have it
        return "/" + "/".join([rng.choice(WORDS) for _ in range(rng.choice((1, 2, 2, 3)))])

    def _int(self, depth: int) -> int:
        rng = self._rng
        return rng.choice(NUMBERS) if rng.random() < 0.5 else rng.getrandbits(32) - 2**31

    def _float(self, depth: int) -> float:
        rng = self._rng
        if rng.random() < 0.3:
            return math.nan if self._nan and rng.random() < 0.2 else rng.choice(REALS)
        number: float = struct.unpack(">f", struct.pack(">f", rng.uniform(-2, 2)))[0]
        return number

    def _double(self, depth: int) -> Double:
        return Double(self._rng.choice(REALS) if self._rng.random() < 0.3 else self._rng.uniform(-1e6, 1e6))

    def _text(self, depth: int) -> str:
        return " ".join([self._rng.choice(WORDS) for _ in range(self._rng.choice((0, 1, 1, 2)))])

    def _symbol(self, depth: int) -> Symbol:
        return Symbol(self._text(depth))

    def _blob(self, depth: int) -> bytes:
        return self._rng.randbytes(self._rng.choice((0, 1, 2, 3, 4, 5, 33)))

    def _int64(self, depth: int) -> Int64:
        rng = self._rng
        return Int64(rng.choice((0, -1, 2**63 - 1, -(2**63), 2**53 + 1)) if rng.random() < 0.3 else self._wide())

    def _wide(self) -> int:
        return self._rng.getrandbits(64) - 2**63

    def _time(self, depth: int) -> TimeTag:
        """Between 1900 and 2020: a decoder that holds a bundle back until its time would not give it."""
        return TimeTag(self._rng.randrange(2, 3_786_825_600 << 32))

    def _char(self, depth: int) -> Char:
        return Char(ord(self._rng.choice("Aaz09~ é♫𝄞")) if self._rng.random() < 0.9 else self._int(depth))

    def _rgba(self, depth: int) -> Rgba:
        return Rgba(*self._rng.randbytes(4))

    def _midi(self, depth: int) -> Midi:
        return Midi(*self._rng.randbytes(4))

    def _single(self, depth: int) -> Any:
        return self._rng.choice((True, False, None, IMPULSE))

    def _array(self, depth: int) -> tuple[Any, ...]:
        return tuple([self.argument(depth + 1) for _ in range(self._rng.choice((0, 1, 2, 3)))])


# ---------------------------------------------------------------------------------- on a bad day

ODD_BYTES = b"\0\0\1\4\x0c#,/[]*?{}fisbTh\x7f\x80\xff"
ODD_SIZES = tuple(struct.pack(">i", size) for size in (0, 1, 4, 8, 12, 16, 2**31 - 1, -1, -4, -(2**31), 65_536))


class Mutations:
    """Packets that were sound once: bits flipped, bytes put in and taken out, sizes that lie, two packets in one."""

    def __init__(self, rng: Random, corpus: Sequence[bytes]) -> None:
        self._rng = rng
        self.corpus = corpus
        """What they are made from."""

    def sound(self) -> bytes:
        """A packet as it was."""
        return self.corpus[int(self._rng.random() * len(self.corpus))]

    def next(self) -> bytes:
        """One that something has happened to, once or a few times."""
        packet = bytearray(self.sound())
        for _ in range((1, 1, 1, 2, 2, 3, 4, 8)[self._rng.getrandbits(3)]):
            self._mutate(packet)
        return bytes(packet)

    def _mutate(self, packet: bytearray) -> None:
        rng = self._rng
        size = len(packet)
        at = int(rng.random() * size)
        kind = rng.getrandbits(4)
        if kind < 5:  # a byte becomes another
            if at < size:
                packet[at] = ODD_BYTES[int(rng.random() * len(ODD_BYTES))]
        elif kind < 8:  # a bit flips
            if at < size:
                packet[at] ^= 1 << rng.getrandbits(3)
        elif kind == 8:  # cut short
            del packet[at:]
        elif kind == 9:  # some are lost
            del packet[at : at + 4]
        elif kind == 10:  # some are twice there
            packet[at:at] = packet[at : at + 8]
        elif kind == 11:  # a size that lies, where sizes stand
            at &= ~3
            packet[at : at + 4] = ODD_SIZES[int(rng.random() * len(ODD_SIZES))]
        elif kind == 12:  # noise
            packet[at:at] = rng.randbytes(rng.getrandbits(3))
        elif kind == 13:  # another type
            comma = packet.find(b",")
            if 0 <= comma < size - 1:
                packet[comma + 1] = b"ifsbhdtScrmTFNI[]z"[int(rng.random() * 18)]
        elif kind == 14:  # the first half of this one, the second of another
            other = self.sound()
            packet[at & ~3 :] = other[at & ~3 :]
        else:  # inside a bundle
            packet[:] = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", size) + packet
