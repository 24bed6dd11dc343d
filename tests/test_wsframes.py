"""WebSocket frames against those of the websockets package, cut anywhere; and what fails a connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from bridge.http.wsframes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    FrameError,
    Reader,
    close_frame,
    pong_frame,
    text_frame,
)

MAX = 70_000
MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300)),
        st.tuples(st.sampled_from([PING, PONG, CLOSE]), st.binary(max_size=125)),
        st.tuples(st.just(TEXT), st.sampled_from([65_535, 65_536, MAX]).map(bytes)),
    ),
    max_size=5,
)


def wire(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True)


@given(MESSAGES, st.data())
def test_messages_are_read_however_they_are_cut(messages: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(wire(*message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = Reader(MAX)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += list(reader.feed(stream[start:end]))
    assert found == messages


def test_a_message_in_parts_is_one_message_and_a_ping_may_stand_between_them() -> None:
    stream = wire(TEXT, b"fa", fin=False) + wire(PING, b"?") + wire(0, b"d", fin=False) + wire(0, b"er")
    read = list(Reader(MAX).feed(stream + wire(TEXT, b"next")))
    part = (CONTINUATION, b"")  # counts, and says nothing
    assert read == [part, (PING, b"?"), part, (TEXT, b"fader"), (TEXT, b"next")]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\xf1\x80\0\0\0\0", 1002),  # reserved bits
        (b"\x81\x01a", 1002),  # not masked
        (b"\x83\x80\0\0\0\0", 1002),  # opcode 3
        (b"\x8b\x80\0\0\0\0", 1002),  # opcode 11
        (b"\x80\x80\0\0\0\0", 1002),  # goes on with nothing
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in parts
        (b"\x89\xfe\0\x7e\0\0\0\0", 1002),  # a ping of 126 bytes
        (wire(TEXT, b"a", fin=False) + wire(TEXT, b"b"), 1002),  # begins before the last has ended
        (b"\x81\xff" + (MAX + 1).to_bytes(8, "big"), 1009),  # announced is enough
        (wire(TEXT, bytes(MAX), fin=False) + wire(0, b"x"), 1009),  # too long in parts
    ],
)
def test_what_is_no_message_fails_the_connection(stream: bytes, code: int) -> None:
    reader = Reader(MAX)
    assert list(reader.feed(wire(TEXT, b"before"))) == [(TEXT, b"before")]
    with pytest.raises(FrameError) as caught:
        list(reader.feed(stream))
    assert caught.value.code == code


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_our_frames_are_those_of_the_standard(size: int) -> None:
    payload = bytes(size)
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
    assert pong_frame(payload[:125]) == Frame(Opcode.PONG, payload[:125]).serialize(mask=False)


def test_a_long_reason_is_cut_between_characters() -> None:
    frame = close_frame(1008, "é" * 100)
    assert Close.parse(frame[2:]) == Close(1008, "é" * 61)
