import json
import math
import re

import pytest

from bridge.errors import BadValue
from bridge.osc.codec import (
    ALL,
    IMMEDIATELY,
    IMPULSE,
    Char,
    Double,
    Int64,
    Message,
    Midi,
    Rgba,
    Symbol,
    TimeTag,
    decode,
    encode_message,
)
from bridge.osc.words import arguments, plain_words, tags_of, typed


@pytest.mark.parametrize(
    ("words", "tags", "values"),
    [
        (["1", "-7", "+3"], "iii", (1, -7, 3)),
        (["0.5", "-1e-3", ".5", "1."], "ffff", (0.5, -0.001, 0.5, 1.0)),
        (["5000000000"], "h", (5_000_000_000,)),
        (["true", "false"], "TF", (True, False)),
        (["hello", "two words", ""], "sss", ("hello", "two words", "")),
        (["nan", "1_000", "0x10"], "sss", ("nan", "1_000", "0x10")),
        ([], "", ()),
    ],
)  # fmt: skip
def test_words_become_what_they_look_like(words: list[str], tags: str, values: tuple[object, ...]) -> None:
    args = arguments(words)
    assert "".join(tags_of(args)) == tags
    assert args == values


@pytest.mark.parametrize(
    ("types", "words", "args"),
    [
        ("ifs", ["1", "1", "1"], (1, 1.0, "1")),
        (",i", ["0x7f"], (127,)),
        ("hd", ["1", "0.1"], (Int64(1), Double(0.1))),
        ("Sc", ["sym", "ü"], (Symbol("sym"), Char(252))),
        ("b", ["00ff"], (b"\x00\xff",)),
        ("m", ["00903c7f"], (Midi(0, 0x90, 0x3C, 0x7F),)),
        ("rr", ["#ff8800", "ff880080"], (Rgba(255, 136, 0, 255), Rgba(255, 136, 0, 128))),
        ("tt", ["now", "0"], (IMMEDIATELY, TimeTag.from_unix(0))),
        ("TFNI", [], (True, False, None, IMPULSE)),
        ("i[ff]s", ["1", "2", "3", "x"], (1, (2.0, 3.0), "x")),
        ("[[i]]", ["1"], (((1,),),)),
        ("", [], ()),
    ],
)
def test_types_say_what_words_are(types: str, words: list[str], args: tuple[object, ...]) -> None:
    made = arguments(words, types)
    assert made == args
    assert list(map(type, made)) == list(map(type, args))
    assert decode(encode_message("/a", made, ALL)) == Message("/a", args)
    assert "".join(tags_of(made)) == types.removeprefix(",")


@pytest.mark.parametrize(
    ("types", "words", "why"),
    [
        ("i", ["1.5"], "whole number"),
        ("i", ["2147483648"], "32 bits"),
        ("h", ["9223372036854775808"], "64 bits"),
        ("f", ["loud"], "number"),
        ("c", ["ab"], "single character"),
        ("b", ["xyz"], "hex"),
        ("m", ["00"], "four bytes"),
        ("r", ["#12"], "colour"),
        ("t", ["-1e30"], "time"),
        ("x", ["1"], "no type tag 'x'"),
        ("ii", ["1"], "more arguments"),
        ("i", ["1", "2"], "leave 1"),
        ("[i", ["1"], 'without "]"'),
        ("i]", ["1"], 'without "["'),
        ("[" * 17, [], "more than 16"),
    ],
)
def test_what_does_not_fit_its_type_is_refused(types: str, words: list[str], why: str) -> None:
    with pytest.raises(BadValue, match=re.escape(why)):
        arguments(words, types)


def test_a_whole_number_beyond_64_bits_is_refused() -> None:
    with pytest.raises(BadValue, match="64 bits"):
        arguments(["99999999999999999999"])


def test_values_of_json_are_taken_as_they_are() -> None:
    assert typed([1, 0.5, "x", True, None], None) == (1, 0.5, "x", True, None)
    assert typed([1, 2, 3.0], "fsi") == (1.0, "2", 3)
    for wrong, types in (([[1]], None), ([{}], None), ([True], "i"), ([None], "f"), ([[1]], "s"), ([1.5], "i")):
        with pytest.raises(BadValue):
            typed(wrong, types)


def test_every_type_is_shown_as_json_can_carry_it() -> None:
    args = (
        1, 0.1, float("nan"), math.inf, "x" * 10, b"\x00\xff" * 5, None, True, IMPULSE, Int64(2**60), Int64(7),
        Double(0.1), Symbol("s"), Char(65), Char(0xD800), IMMEDIATELY, TimeTag.from_unix(10.5), Rgba(255, 136, 0, 255),
        Midi(0, 0x90, 60, 127), (1, (2, 3)),
    )  # fmt: skip
    read = decode(encode_message("/a", args, ALL))
    assert isinstance(read, Message)
    shown = plain_words(read.args, 64, 8)
    assert json.loads(json.dumps(shown)) == [
        1, 0.1, "nan", "inf", "xxxxxxxx…", "00 ff 00 ff 00 ff 00 ff … (10 bytes)", None, True, "bang", str(2**60), 7,
        0.1, "s", "A", 0xD800, "now", 10.5, "#ff8800ff", "00 90 3c 7f", [1, [2, 3]],
    ]  # fmt: skip


def test_nested_arrays_are_cut_as_a_whole() -> None:
    deep: tuple[object, ...] = (1,) * 100
    for _ in range(10):
        deep = (deep,) * 3
    assert json.dumps(plain_words(deep, 32, 200)).count("1") <= 32
