"""What the program and its MIDI driver say to each other, whole and in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.midi.wire import MAX_BYTES, Unpacker, pack

MESSAGES = [("heard", 1, 0.25, b"\xb0\x07\x7f"), ("done", None), ("done", [("a", "ü"), ("b",), 3]), ("look",)]


@given(st.lists(st.integers(1, 40)))
def test_messages_are_whole_however_they_are_cut(cuts: list[int]) -> None:
    data, unpacker, found = b"".join(pack(*one) for one in MESSAGES), Unpacker(), []
    for cut in cuts:
        found += unpacker.feed(data[:cut])
        data = data[cut:]
    found += unpacker.feed(data)
    assert found == MESSAGES


def test_what_is_too_long_is_no_message() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(Unpacker().feed((MAX_BYTES + 1).to_bytes(4, "little")))
