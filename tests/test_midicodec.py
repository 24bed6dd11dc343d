"""MIDI bytes ↔ messages ↔ values of keys: golden bytes, and any bytes at all."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.midi.codec import (
    LSB_WAIT_S,
    MAX_SYSEX,
    Assembler,
    Heard,
    Key,
    Message,
    Parser,
    Writer,
    decode,
    encode,
    silence,
    ticks,
)

GOLDEN = [
    ("80 3c 40", Message("note_off", 1, 60, 64)),
    ("9f 00 7f", Message("note_on", 16, 0, 127)),
    ("a1 01 02", Message("poly", 2, 1, 2)),
    ("b0 07 64", Message("cc", 1, 7, 100)),
    ("c2 05", Message("program", 3, 0, 5)),
    ("d0 40", Message("pressure", 1, 0, 64)),
    ("e0 00 40", Message("bend", 1, 0, 8192)),
    ("ef 7f 7f", Message("bend", 16, 0, 16383)),
    ("f0 00 00 66 14 f7", Message("sysex", data=b"\x00\x00\x66\x14")),
    ("f0 f7", Message("sysex")),
    ("f1 23", Message("time_code", value=0x23)),
    ("f2 10 01", Message("position", value=144)),
    ("f3 02", Message("song", value=2)),
    ("f6", Message("tune")),
    ("f8", Message("clock")),
    ("fa", Message("start")),
    ("fb", Message("continue")),
    ("fc", Message("stop")),
    ("fe", Message("sensing")),
    ("ff", Message("reset")),
]


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def heard(text: str, assembler: Assembler | None = None, now: float = 0.0) -> list[Heard]:
    """What these bytes say of keys, but for the plain CCs that they are made of."""
    assembler = assembler or Assembler()
    found = [one for message in Parser().feed(raw(text)) for one in assembler.feed(message, now)]
    return [one for one in found if one.key.kind != "cc"]


# ---------------------------------------------------------------------------------- bytes ↔ messages


@pytest.mark.parametrize(("text", "message"), GOLDEN, ids=[one[1].kind for one in GOLDEN])
def test_bytes_and_message_are_the_same_both_ways(text: str, message: Message) -> None:
    assert decode(raw(text)) == message
    assert encode(message) == raw(text)


def test_running_status_goes_on_until_the_next_status() -> None:
    assert Parser().feed(raw("b0 07 01 07 02 08 03 90 3c 40 3c 00")) == [
        Message("cc", 1, 7, 1),
        Message("cc", 1, 7, 2),
        Message("cc", 1, 8, 3),
        Message("note_on", 1, 60, 64),
        Message("note_on", 1, 60, 0),
    ]


def test_realtime_stands_between_any_two_bytes() -> None:
    parser = Parser()
    assert parser.feed(raw("b0 f8 07 fe 64 f8 08 65")) == [
        Message("clock"),
        Message("sensing"),
        Message("cc", 1, 7, 100),
        Message("clock"),
        Message("cc", 1, 8, 101),
    ]
    assert parser.feed(raw("f0 01 f8 02 f7")) == [Message("clock"), Message("sysex", data=b"\x01\x02")]
    assert parser.dropped == 0


def test_system_messages_end_running_status() -> None:
    parser = Parser()
    assert parser.feed(raw("b0 07 01 f6 07 02")) == [Message("cc", 1, 7, 1), Message("tune")]
    assert parser.feed(raw("b0 07 01 f3 02 07")) == [Message("cc", 1, 7, 1), Message("song", value=2)]
    assert parser.dropped == 3


def test_half_a_sysex_is_thrown_away_and_the_next_message_is_heard() -> None:
    parser = Parser()
    assert parser.feed(raw("f0 00 20 b0 07 05")) == [Message("cc", 1, 7, 5)]
    assert parser.dropped == 3


def test_a_sysex_comes_in_pieces() -> None:
    parser = Parser()
    assert parser.feed(raw("f0 01 02")) == []
    assert parser.feed(raw("03 04 f7")) == [Message("sysex", data=b"\x01\x02\x03\x04")]


def test_an_endless_sysex_is_capped() -> None:
    parser = Parser()
    assert parser.feed(b"\xf0" + b"\x01" * (MAX_SYSEX + 100)) == []
    assert parser.feed(raw("f7 b0 07 01")) == [Message("cc", 1, 7, 1)]
    assert parser.dropped == MAX_SYSEX + 101


def test_data_without_status_is_counted() -> None:
    parser = Parser()
    assert parser.feed(raw("01 02 f7 f4 f5 f9 fd")) == []
    assert parser.dropped == 7
    assert parser.feed(raw("b0 07")) == []
    assert parser.feed(raw("b1 07 01")) == [Message("cc", 2, 7, 1)]


def test_ten_thousand_random_streams_give_only_messages_that_encode_again() -> None:
    chance = random.Random(6)
    for _ in range(10_000):
        data = bytes(chance.choices(range(256), k=chance.randrange(1, 48)))
        parser, assembler = Parser(), Assembler([Key("cc14", 1, 1)])
        for message in parser.feed(data):
            assert decode(encode(message)) == message
            for one in assembler.feed(message, 0.0):
                assert -1 <= one.value <= one.key.top
        assert parser.dropped <= len(data)
        assert all(0 <= one.value <= one.key.top for one in assembler.flush(1.0))


@given(st.lists(st.integers(0, len(GOLDEN) - 1), max_size=12), st.randoms(use_true_random=False))
def test_how_a_stream_is_cut_does_not_matter(which: list[int], chance: random.Random) -> None:
    data = b"".join(raw(GOLDEN[index][0]) for index in which)
    parser, found = Parser(), []
    while data:
        size = chance.randrange(1, len(data) + 1)
        found += parser.feed(data[:size])
        data = data[size:]
    assert found == [GOLDEN[index][1] for index in which]
    assert parser.dropped == 0


@pytest.mark.parametrize(
    "message",
    [
        Message("cc", 0, 7, 1),
        Message("cc", 17, 7, 1),
        Message("cc", 1, 128, 1),
        Message("cc", 1, 7, 128),
        Message("program", 1, 1, 1),
        Message("bend", 1, 0, 16384),
        Message("clock", 1),
        Message("clock", value=1),
        Message("sysex", data=b"\x80"),
    ],
)
def test_what_midi_cannot_say_is_refused(message: Message) -> None:
    with pytest.raises(ValueError):
        encode(message)


@pytest.mark.parametrize("text", ["", "07 01", "b0 07", "b0 07 01 02", "f0 01", "b0 07 01 b0 07 01", "f4"])
def test_decode_takes_one_whole_message_alone(text: str) -> None:
    with pytest.raises(ValueError):
        decode(raw(text))


# ---------------------------------------------------------------------------------- messages → keys


def test_plain_messages_are_keys_and_a_note_off_is_zero() -> None:
    assert heard("90 3c 40 80 3c 40 90 3c 00 e1 00 40 c0 05 d0 07") == [
        Heard(Key("note", 1, 60), 64),
        Heard(Key("note", 1, 60), 0),
        Heard(Key("note", 1, 60), 0),
        Heard(Key("bend", 2), 8192),
        Heard(Key("program", 1), 5),
        Heard(Key("pressure", 1), 7),
    ]


def test_a_14_bit_cc_waits_for_its_lsb() -> None:
    key = Key("cc14", 1, 7)
    assembler = Assembler([key])
    assert heard("b0 07 40", assembler, 1.0) == []
    assert assembler.next_due == 1.0 + LSB_WAIT_S
    assert heard("b0 27 01", assembler, 1.001) == [Heard(key, 64 << 7 | 1)]
    assert assembler.next_due is None


def test_an_msb_alone_implies_lsb_0_after_a_while() -> None:
    key = Key("cc14", 1, 7)
    assembler = Assembler([key])
    assert heard("b0 07 40", assembler, 1.0) == []
    assert assembler.flush(1.0) == []
    assert assembler.flush(1.0 + LSB_WAIT_S) == [Heard(key, 64 << 7)]
    assert heard("b0 07 41 b0 07 42", assembler, 2.0) == [Heard(key, 65 << 7)]


def test_an_lsb_alone_moves_within_the_last_msb() -> None:
    key = Key("cc14", 1, 7)
    assembler = Assembler([key])
    assert heard("b0 07 40 27 01 27 02", assembler) == [Heard(key, 64 << 7 | 1), Heard(key, 64 << 7 | 2)]


def test_a_cc_that_nobody_has_bound_with_14_bits_waits_for_nothing() -> None:
    assembler = Assembler([Key("cc14", 2, 7)])
    assert heard("b0 07 40", assembler) == []
    assert assembler.next_due is None


def test_nrpn_and_rpn_are_selected_and_then_set() -> None:
    assert heard("b0 63 01 62 02 06 03 26 04") == [Heard(Key("nrpn", 1, 1 << 7 | 2), 3 << 7 | 4)]
    assert heard("b0 65 00 64 01 06 40 26 00") == [Heard(Key("rpn", 1, 1), 64 << 7)]


def test_a_selection_persists_by_channel_and_interleaves() -> None:
    text = "b0 63 00 62 01  b1 63 00 62 02  b0 06 10  b1 06 20  b0 26 01  b1 26 02  b0 06 11 26 00"
    assert heard(text) == [
        Heard(Key("nrpn", 1, 1), 0x10 << 7 | 1),
        Heard(Key("nrpn", 2, 2), 0x20 << 7 | 2),
        Heard(Key("nrpn", 1, 1), 0x11 << 7),
    ]


def test_the_null_parameter_takes_no_data() -> None:
    assert heard("b0 63 00 62 01 65 7f 64 7f 06 10 26 00") == []
    assert heard("b0 06 10 26 00") == []


def test_data_increment_and_decrement_step() -> None:
    assert heard("b0 63 00 62 01 60 00 61 00") == [
        Heard(Key("nrpn", 1, 1), 1, is_step=True),
        Heard(Key("nrpn", 1, 1), -1, is_step=True),
    ]


def test_an_lsb_after_another_selection_knows_the_old_msb_where_somebody_is_bound() -> None:
    text = "b0 63 00 62 01 06 10 26 01  62 02 26 05  62 01 26 07"
    assert heard(text, Assembler([Key("nrpn", 1, 1)]))[-1] == Heard(Key("nrpn", 1, 1), 0x10 << 7 | 7)
    assert heard(text) == [
        Heard(Key("nrpn", 1, 1), 0x10 << 7 | 1),
        Heard(Key("nrpn", 1, 2), 5),
        Heard(Key("nrpn", 1, 1), 7),
    ]


def test_every_cc_is_a_plain_cc_too() -> None:
    assembler = Assembler([Key("cc14", 1, 7)])
    assert Heard(Key("cc", 1, 7), 64) in assembler.feed(Message("cc", 1, 7, 64), 0.0)


# ---------------------------------------------------------------------------------- keys → messages

KEYS = st.one_of(
    st.builds(Key, st.sampled_from(["note", "cc"]), st.integers(1, 16), st.integers(0, 127)),
    st.builds(Key, st.just("cc14"), st.integers(1, 16), st.integers(0, 31)),
    st.builds(Key, st.sampled_from(["nrpn", "rpn"]), st.integers(1, 16), st.integers(0, 16382)),
    st.builds(Key, st.sampled_from(["bend", "program", "pressure"]), st.integers(1, 16), st.just(0)),
)


@given(st.lists(st.tuples(KEYS, st.floats(0, 1)), max_size=20))
def test_what_the_writer_says_is_what_an_assembler_hears(said: list[tuple[Key, float]]) -> None:
    """Where no CC stands for two things at once."""
    taken = {6, 38, *range(96, 102)}
    said = [(key, part) for key, part in said if key.kind not in ("cc", "cc14") or key.number not in taken]
    plain = {(key.channel, key.number & 31) for key, _ in said if key.kind == "cc" and key.number < 64}
    wide = {key for key, _ in said if key.kind == "cc14" and (key.channel, key.number) not in plain}
    values = [(key, round(part * key.top)) for key, part in said if key.kind != "cc14" or key in wide]
    writer, parser, assembler = Writer(), Parser(), Assembler(wide)
    bound = {key for key, _ in values}
    heard_keys = [
        (one.key, one.value)
        for key, value in values
        for data in writer.write(key, value)
        for message in parser.feed(data)
        for one in assembler.feed(message, 0.0)
        if one.key in bound
    ]
    assert heard_keys == values
    assert assembler.next_due is None


def test_a_parameter_is_selected_once() -> None:
    writer, key = Writer(), Key("nrpn", 1, 130)
    assert b"".join(writer.write(key, 257)) == raw("b0 63 01 b0 62 02 b0 06 02 b0 26 01")
    assert b"".join(writer.write(key, 0)) == raw("b0 06 00 b0 26 00")
    assert b"".join(writer.write(Key("rpn", 1, 130), 0)) == raw("b0 65 01 b0 64 02 b0 06 00 b0 26 00")
    assert len(writer.write(key, 0)) == 4


def test_silence_is_said_on_every_channel() -> None:
    assert len(silence()) == 32
    assert silence()[:2] == [raw("b0 78 00"), raw("b0 7b 00")]


# ---------------------------------------------------------------------------------- relative encoders


@pytest.mark.parametrize(
    ("coding", "value", "turned"),
    [
        ("twos", 1, 1),
        ("twos", 127, -1),
        ("twos", 5, 5),
        ("twos", 123, -5),
        ("offset", 65, 1),
        ("offset", 63, -1),
        ("offset", 64, 0),
        ("offset", 70, 6),
        ("sign", 1, 1),
        ("sign", 65, -1),
        ("sign", 8, 8),
        ("sign", 72, -8),
        ("sign2", 65, 1),
        ("sign2", 1, -1),
        ("sign2", 67, 3),
    ],
)
def test_an_encoder_says_how_far_it_was_turned(coding: str, value: int, turned: int) -> None:
    assert ticks(value, coding) == turned  # type: ignore[arg-type]
