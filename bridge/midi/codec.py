"""MIDI bytes ↔ messages, and messages ↔ what controls are bound to. Pure.

Three steps, each usable alone: ``Parser`` cuts a stream into messages (running status, sysex, realtime bytes in
between); ``Assembler`` makes of them values of a ``Key`` (14-bit CC, NRPN and RPN take several messages); ``Writer``
is the way back. ``ticks`` reads what relative encoders send. Not here: which control a key is bound to.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Literal, NamedTuple

MAX_SYSEX = 64 * 1024
"""Bytes of one sysex; the rest of a longer one is thrown away with it."""
TOP_7 = 127
TOP_14 = 16383
LSB_WAIT_S = 0.01
"""How long an MSB waits for its LSB: they are sent one after the other, 1 ms apart over DIN."""
NULL = TOP_14
"""(N)RPN 127/127 selects nothing (MIDI 1.0, "Registered Parameter Numbers")."""

ALL_SOUND_OFF = 120
ALL_NOTES_OFF = 123

_DATA_MSB, _DATA_LSB, _INCREMENT, _DECREMENT = 6, 38, 96, 97
_NRPN_LSB, _NRPN_MSB, _RPN_LSB, _RPN_MSB = 98, 99, 100, 101
_SELECTORS = range(_NRPN_LSB, _RPN_MSB + 1)

Kind = Literal[
    "note_off", "note_on", "poly", "cc", "program", "pressure", "bend", "sysex",
    "time_code", "position", "song", "tune", "clock", "start", "continue", "stop", "sensing", "reset",
]  # fmt: skip
_CHANNEL: tuple[tuple[Kind, int], ...] = (
    ("note_off", 2), ("note_on", 2), ("poly", 2), ("cc", 2), ("program", 1), ("pressure", 1), ("bend", 2),
)  # fmt: skip
"""Kinds of channel messages by status 0x8_ … 0xE_, and their data bytes."""
_SYSTEM: dict[int, tuple[Kind, int]] = {
    0xF1: ("time_code", 1), 0xF2: ("position", 2), 0xF3: ("song", 1), 0xF6: ("tune", 0), 0xF8: ("clock", 0),
    0xFA: ("start", 0), 0xFB: ("continue", 0), 0xFC: ("stop", 0), 0xFE: ("sensing", 0), 0xFF: ("reset", 0),
}  # fmt: skip
_STATUS: dict[Kind, int] = {kind: 0x80 + 0x10 * index for index, (kind, _) in enumerate(_CHANNEL)} | {
    kind: status for status, (kind, _) in _SYSTEM.items()
}
_FOURTEEN_BITS = ("bend", "position")
_NUMBERED = ("note_off", "note_on", "poly", "cc")


class Message(NamedTuple):
    """One MIDI message. ``channel`` is 1…16, 0 for those that have none; ``number`` is the note or the CC, else 0;
    ``value`` has 7 bits, 14 for "bend" and "position"; ``data`` is a sysex without F0 and F7."""

    kind: Kind
    channel: int = 0
    number: int = 0
    value: int = 0
    data: bytes = b""


class Parser:
    """One incoming stream. ``feed`` never raises: what belongs to no message is counted in ``dropped`` (bytes)."""

    def __init__(self) -> None:
        self.dropped = 0
        self._status = 0  # whose data bytes come; 0: nobody's
        self._data = bytearray()
        self._sysex: bytearray | None = None

    def feed(self, data: Sequence[int]) -> list[Message]:
        """The messages that these bytes complete."""
        if (
            len(data) == 3
            and 0xB0 <= data[0] <= 0xBF
            and data[1] < 0x80
            and data[2] < 0x80
            and self._sysex is None
            and not self._data
        ):
            self._status = data[0]
            return [Message("cc", data[0] - 0xAF, data[1], data[2])]  # by far the most frequent, four times as fast
        found: list[Message] = []
        for byte in data:
            if byte >= 0xF8:
                # MIDI 1.0, "System Real Time": may stand between any two bytes, and changes nothing around it.
                if byte in _SYSTEM:
                    found.append(Message(_SYSTEM[byte][0]))
                else:
                    self.dropped += 1
            elif byte >= 0x80:
                self._take_status(byte, found)
            elif self._sysex is not None:
                self._sysex.append(byte)
                if len(self._sysex) > MAX_SYSEX:
                    self.dropped += len(self._sysex)
                    self._sysex = None
            elif self._status:
                self._data.append(byte)
                if len(self._data) == _length(self._status):
                    found.append(_message(self._status, self._data))
                    self._data.clear()
                    if self._status >= 0xF0:
                        self._status = 0  # running status is for channel messages
            else:
                self.dropped += 1
        return found

    def _take_status(self, byte: int, found: list[Message]) -> None:
        """A status byte that is no realtime: whatever was not complete never will be."""
        self.dropped += len(self._data)
        self._data.clear()
        if self._sysex is not None:
            if byte == 0xF7:
                found.append(Message("sysex", data=bytes(self._sysex)))
            else:
                self.dropped += len(self._sysex) + 1
            self._sysex = None
            if byte == 0xF7:
                self._status = 0
                return
        self._status = 0
        if byte == 0xF0:
            self._sysex = bytearray()
        elif byte < 0xF0:
            self._status = byte
        elif byte not in _SYSTEM:
            self.dropped += 1
        elif _SYSTEM[byte][1]:
            self._status = byte
        else:
            found.append(Message(_SYSTEM[byte][0]))


def encode(message: Message) -> bytes:
    """The bytes of one message, with its status. Raises ValueError for what MIDI cannot say."""
    kind, channel, number, value, data = message
    if kind == "sysex":
        if len(data) > MAX_SYSEX or any(byte > TOP_7 for byte in data):
            raise ValueError("a sysex has bytes of 7 bits, at most 65536")
        return b"\xf0" + data + b"\xf7"
    status = _STATUS[kind]
    has_channel = status < 0xF0
    if channel not in range(1, 17) if has_channel else channel:
        raise ValueError(f"{kind}: no channel {channel}")
    if number not in range(128 if kind in _NUMBERED else 1):
        raise ValueError(f"{kind}: no number {number}")
    length = _length(status + (channel - 1 if has_channel else 0))
    top = TOP_14 if kind in _FOURTEEN_BITS else TOP_7 if length else 0
    if not 0 <= value <= top:
        raise ValueError(f"{kind}: {value} is not 0…{top}")
    head = status | (channel - 1) if has_channel else status
    if kind in _FOURTEEN_BITS:
        return bytes((head, value & 0x7F, value >> 7))
    return bytes((head, number, value)) if length == 2 else bytes((head, value)[: 1 + length])


def decode(data: bytes) -> Message:
    """One whole message. Raises ValueError for anything else."""
    parser = Parser()
    found = parser.feed(data)
    if len(found) != 1 or parser.dropped or parser._data or parser._sysex is not None or data[0] < 0x80:
        raise ValueError(f"{data.hex(' ')} is not one message")
    return found[0]


def _length(status: int) -> int:
    return _SYSTEM[status][1] if status >= 0xF0 else _CHANNEL[(status >> 4) - 8][1]


def _message(status: int, data: bytearray) -> Message:
    kind, _ = _SYSTEM[status] if status >= 0xF0 else _CHANNEL[(status >> 4) - 8]
    channel = 0 if status >= 0xF0 else (status & 0x0F) + 1
    if kind in _FOURTEEN_BITS:
        return Message(kind, channel, 0, data[0] | data[1] << 7)
    return Message(kind, channel, data[0], data[1]) if kind in _NUMBERED else Message(kind, channel, 0, data[0])


# ---------------------------------------------------------------------------------- what controls are bound to

KeyKind = Literal["note", "cc", "cc14", "nrpn", "rpn", "bend", "program", "pressure", "clock", "sysex"]


class Key(NamedTuple):
    """What carries one value: a note, a CC, … on a channel 1…16. ``number`` is 0 where the kind has none.

    A "clock" has no channel, and counts ``clock.WORDS``.
    """

    kind: KeyKind
    channel: int
    number: int = 0

    @property
    def top(self) -> int:
        """The highest value that fits."""
        return TOP_14 if self.kind in ("cc14", "nrpn", "rpn", "bend") else TOP_7

    def __str__(self) -> str:
        number = "" if self.kind in ("bend", "program", "pressure", "sysex") else f" {self.number}"
        return f"{self.kind}{number} on channel {self.channel}"


class Heard(NamedTuple):
    """A key has a value; a note that is let go has 0. ``is_step``: ``value`` is how far it is to move (+1, −1)."""

    key: Key
    value: int
    is_step: bool = False


class _Parameter(NamedTuple):
    kind: Literal["nrpn", "rpn"]
    msb: int
    lsb: int


class _Half(NamedTuple):
    """An MSB whose LSB may follow."""

    value: int
    due_at: float


class Assembler:
    """One incoming stream, from messages to values of keys.

    ``wide`` holds the keys of 14 bits that somebody is bound to, now: their MSB waits for its LSB until ``next_due``,
    when ``flush`` takes it as it is (MIDI 1.0: an MSB alone implies LSB 0; at once, a fader would step back each time).
    An LSB alone moves within the last MSB. Every message is told as the plain CC that it is, too.
    """

    def __init__(self, wide: Container[Key] = (), wait_s: float = LSB_WAIT_S) -> None:
        self._wide = wide
        self._wait_s = wait_s
        self._selected: dict[int, _Parameter] = {}
        self._values: dict[Key, int] = {}  # the last of keys with two halves: those in ``wide``, and 16 more
        self._halves: dict[Key, _Half] = {}

    def feed(self, message: Message, now: float) -> list[Heard]:
        """What the message says of keys, oldest first."""
        kind, channel, number, value, _ = message
        if kind == "cc":
            return self._control_change(channel, number, value, now)
        if kind in ("note_on", "note_off"):
            return [Heard(Key("note", channel, number), value if kind == "note_on" else 0)]
        if kind in ("bend", "program", "pressure"):
            return [Heard(Key(kind, channel), value)]
        return []

    @property
    def next_due(self) -> float | None:
        """When ``flush`` has something to tell."""
        return min((half.due_at for half in self._halves.values()), default=None)

    def flush(self, now: float) -> list[Heard]:
        """MSBs that have waited long enough for an LSB."""
        due = [key for key, half in self._halves.items() if half.due_at <= now]
        return [self._put(key, self._halves.pop(key).value << 7) for key in due]

    def _control_change(self, channel: int, number: int, value: int, now: float) -> list[Heard]:
        found = [Heard(Key("cc", channel, number), value)]
        if number in _SELECTORS:
            self._select(channel, number, value)
        elif number in (_INCREMENT, _DECREMENT):
            if (key := self.parameter(channel)) is not None:
                found.append(Heard(key, 1 if number == _INCREMENT else -1, is_step=True))
        elif number in (_DATA_MSB, _DATA_LSB) and (key := self.parameter(channel)) is not None:
            found += self._half(key, number == _DATA_MSB, value, now)
        elif number < 64 and (wide := Key("cc14", channel, number & 31)) in self._wide:
            found += self._half(wide, number < 32, value, now)
        return found

    def _half(self, key: Key, is_msb: bool, value: int, now: float) -> list[Heard]:
        waiting = self._halves.pop(key, None)
        if not is_msb:
            msb = waiting.value if waiting is not None else self._values.get(key, 0) >> 7
            return [self._put(key, msb << 7 | value)]
        self._halves[key] = _Half(value, now + self._wait_s)
        return [] if waiting is None else [self._put(key, waiting.value << 7)]

    def _put(self, key: Key, value: int) -> Heard:
        self._values[key] = value
        return Heard(key, value)

    def _select(self, channel: int, number: int, value: int) -> None:
        kind: Literal["nrpn", "rpn"] = "nrpn" if number in (_NRPN_LSB, _NRPN_MSB) else "rpn"
        before = self._selected.get(channel)
        _, msb, lsb = before if before is not None and before.kind == kind else (kind, 0, 0)
        is_msb = number in (_NRPN_MSB, _RPN_MSB)
        self._selected[channel] = _Parameter(kind, value if is_msb else msb, lsb if is_msb else value)
        for key in [key for key in self._values if key.kind in ("nrpn", "rpn") and key.channel == channel]:
            if key not in self._wide:  # there are 16,384 of them, and nobody asks
                del self._values[key]

    def parameter(self, channel: int) -> Key | None:
        """What data entry means on this channel now."""
        selected = self._selected.get(channel)
        if selected is None or selected.msb << 7 | selected.lsb == NULL:
            return None
        return Key(selected.kind, channel, selected.msb << 7 | selected.lsb)


class Writer:
    """One outgoing stream, from values of keys to messages. Remembers what (N)RPN is selected on each channel."""

    def __init__(self) -> None:
        self._selected: dict[int, tuple[str, int]] = {}

    def write(self, key: Key, value: int) -> list[bytes]:
        """The messages that say it; at least one. ``value`` is 0…``key.top``."""
        kind, channel, number = key
        if kind == "note":  # an LED goes out by a note-on with velocity 0, as every controller knows it
            return [bytes((0x90 | channel - 1, number, value))]
        if kind == "cc":
            return [_cc(channel, number, value)]
        if kind == "cc14":
            return [_cc(channel, number, value >> 7), _cc(channel, number + 32, value & 0x7F)]
        if kind in ("nrpn", "rpn"):
            messages = [_cc(channel, _DATA_MSB, value >> 7), _cc(channel, _DATA_LSB, value & 0x7F)]
            if self._selected.get(channel) == (kind, number):
                return messages
            self._selected[channel] = (kind, number)
            msb, lsb = (_NRPN_MSB, _NRPN_LSB) if kind == "nrpn" else (_RPN_MSB, _RPN_LSB)
            return [_cc(channel, msb, number >> 7), _cc(channel, lsb, number & 0x7F), *messages]
        if kind == "bend":
            return [bytes((0xE0 | channel - 1, value & 0x7F, value >> 7))]
        return [bytes(((0xC0 if kind == "program" else 0xD0) | channel - 1, value))]


def silence() -> list[bytes]:
    """All sound off and all notes off, on every channel."""
    return [_cc(channel, number, 0) for channel in range(1, 17) for number in (ALL_SOUND_OFF, ALL_NOTES_OFF)]


def _cc(channel: int, number: int, value: int) -> bytes:
    return bytes((0xB0 | channel - 1, number, value))


# ---------------------------------------------------------------------------------- relative encoders

Coding = Literal["twos", "offset", "sign", "sign2"]
"""How an encoder says which way it was turned, and how far: two's complement (1 / 127), binary offset (65 / 63),
sign and magnitude (1 / 65), and that with the sign the other way round (65 / 1)."""


def ticks(value: int, coding: Coding) -> int:
    """How far an encoder was turned, in its own steps, clockwise above 0; more than one when it accelerates."""
    if coding == "twos":
        return value if value < 64 else value - 128
    if coding == "offset":
        return value - 64
    magnitude = value & 0x3F
    is_left = bool(value & 0x40) == (coding == "sign")
    return -magnitude if is_left else magnitude
