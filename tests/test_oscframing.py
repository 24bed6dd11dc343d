"""Packets in a stream: both framings, cut anywhere, and what is no frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc import slip as theirs

from bridge.osc.codec import MAX_PACKET
from bridge.osc.framing import MAX_JUNK, FrameReader, SizeReader, SlipReader, sized, slip

PACKETS = st.lists(st.binary(min_size=1, max_size=40).map(lambda raw: raw + b"\0" * (-len(raw) % 4)), max_size=8)
FRAMINGS = pytest.mark.parametrize(("frame", "reader"), [(slip, SlipReader), (sized, SizeReader)])


def fed(reader: FrameReader, stream: bytes, cuts: list[int]) -> list[bytes]:
    """What a reader finds in a stream that comes in pieces of these sizes, then whole."""
    found = []
    for cut in cuts:
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    return found + reader.feed(stream)


@FRAMINGS
@given(packets=PACKETS, cuts=st.lists(st.integers(0, 30)))
def test_packets_come_back_however_the_stream_is_cut(frame, reader, packets: list[bytes], cuts: list[int]) -> None:
    one = reader()
    assert fed(one, b"".join(map(frame, packets)), cuts) == packets
    assert one.junk == 0


@given(packet=st.binary(min_size=1))
def test_slip_is_what_python_osc_writes(packet: bytes) -> None:
    assert slip(packet) == theirs.encode(packet)
    assert theirs.decode(slip(packet)) == packet


def test_slip_is_rfc_1055_with_end_on_both_sides() -> None:
    assert slip(b"\xc0\xdb\xdc\xdd") == bytes.fromhex("c0 dbdc dbdd dc dd c0")


def test_a_length_stands_before_each_packet() -> None:
    assert sized(b"/a\0\0,\0\0\0") == bytes.fromhex("00000008 2f610000 2c000000")


def test_slip_takes_one_end_between_packets_and_noise_before_the_first() -> None:
    reader = SlipReader()
    assert reader.feed(b"/a\0\0\xc0/b\0\0\xc0\xc0\xc0/c") == [b"/a\0\0", b"/b\0\0"]
    assert reader.feed(b"\0\0\xc0") == [b"/c\0\0"]
    assert reader.junk == 0


def test_a_wrong_escape_costs_one_frame() -> None:
    reader = SlipReader()
    assert reader.feed(b"\xc0\xdb\xdb\xdc\xc0\xc0ab\xdb\xc0\xc0good\xc0") == [b"good"]
    assert reader.junk == 2


def test_who_sends_nothing_but_wrong_frames_is_not_read_on() -> None:
    reader = SlipReader()
    assert reader.feed(b"good\xc0" + b"\xdb\xc0" * 100_000) == [b"good"]
    assert "no SLIP" in str(reader.error)
    assert reader.junk == MAX_JUNK
    assert reader.feed(slip(b"late")) == []


@given(noise=st.binary(), packet=st.binary(min_size=1), cuts=st.lists(st.integers(0, 30)))
def test_slip_finds_its_way_after_any_noise(noise: bytes, packet: bytes, cuts: list[int]) -> None:
    assert fed(SlipReader(), noise + slip(packet), cuts)[-1] == packet


def test_a_frame_without_end_is_not_kept() -> None:
    reader = SlipReader()
    for _ in range(100):
        assert reader.feed(b"x" * 10_000) == []
        assert len(reader._rest) <= 2 * MAX_PACKET
    assert reader.junk == 1
    assert reader.feed(b"\xc0/a\0\0\xc0") == [b"/a\0\0"]


@pytest.mark.parametrize("size", [0, -4, 6, MAX_PACKET + 1, 2**31 - 1])
def test_a_length_that_is_none_ends_the_reading_after_what_was_whole(size: int) -> None:
    reader = SizeReader()
    stream = sized(b"good") + size.to_bytes(4, "big", signed=True) + sized(b"late")
    assert reader.feed(stream) == [b"good"]
    assert reader.error is not None
    assert reader.error.offset == 8
    assert str(size) in reader.error.reason
    assert reader.feed(sized(b"late")) == []
    assert reader.junk == 1


def test_slip_in_place_of_a_length_is_named() -> None:
    reader = SizeReader()
    assert reader.feed(slip(b"/a\0\0,\0\0\0")) == []
    assert "does the peer speak SLIP?" in str(reader.error)


@FRAMINGS
def test_a_long_packet_may_come_in_single_bytes(frame, reader) -> None:
    packet = bytes(range(256)) * 255
    one = reader()
    found = [packet for byte in frame(packet) for packet in one.feed(bytes((byte,)))]
    assert found == [packet]
