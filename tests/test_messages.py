"""What a browser may say: decoded to types, or refused with a code, whatever it sends."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.coercion import MAX_ARGS, MAX_WHOLE
from bridge.errors import ProtocolError
from bridge.messages import (
    MAX_DESCRIPTORS,
    MAX_KEYS,
    MAX_MESSAGE_BYTES,
    MAX_MOVES,
    TYPES,
    Ack,
    Declare,
    Hello,
    Message,
    Ping,
    Release,
    Set,
    Show,
    Touch,
    Trigger,
    decode,
    number_of,
)

TOO_LONG_TO_READ = "1" * (sys.get_int_max_str_digits() + 1)


def refusal(text: str | bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        decode(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"hello"}', Hello()),
        (
            '{"type":"hello","name":"FOH","page":"b81f","t":1.5,"since":["k3x9",812],"keys":"path","acks":false}',
            Hello(name="FOH", page="b81f", t=1.5, since=("k3x9", 812), keys="path", acks=False),
        ),
        ('{"type":"set","n":17,"t":48211,"values":[[3,0.62]]}', Set([(3, 0.62)], 17, 48211.0)),
        ('{"type":"set","values":[["/a",[null,0.4]]]}', Set([("/a", [None, 0.4])])),
        ('{"type":"trigger","id":3,"args":[1,true,"x",0.5]}', Trigger(3, [1, True, "x", 0.5])),
        ('{"type":"touch","ids":[3,"/a"]}', Touch([3, "/a"])),
        ('{"type":"release","ids":[]}', Release([])),
        ('{"type":"ack","rev":816}', Ack(816)),
        ('{"type":"ping","t":-1}', Ping(-1.0)),
        ('{"type":"show","ids":[9]}', Show([9])),
        ('{"type":"ack","rev":1,"from":"a later version"}', Ack(1)),
        ('{"rev":1,"rev":2,"type":"ack"}', Ack(2)),  # JSON's usual rule: the last one counts
        (b'{"type":"set","values":[[1,"\\ud83d\\ude00"]]}', Set([(1, "\U0001f600")])),
    ],
)
def test_messages_are_decoded_to_their_types(text: str | bytes, message: Message) -> None:
    assert decode(text) == message


def test_a_declaration_becomes_controls() -> None:
    message = decode(
        '{"type":"declare","controls":[{"path":"/a","kind":"int","range":[0,50],"default":25},'
        '{"path":"/b","kind":"choice","choices":["x","y"],"label":"B"},'
        '{"path":"/c","kind":"vector","size":3,"default":[0,0.5,1]}]}'
    )
    assert isinstance(message, Declare)
    a, b, c = (descriptor.build("page") for descriptor in message.controls)
    assert (a.kind, a.range, a.default, a.owner) == ("int", (0, 50), 25, "page")
    assert (b.choices, b.default, b.label) == (("x", "y"), "x", "B")
    assert (c.size, c.default) == (3, (0.0, 0.5, 1.0))


@pytest.mark.parametrize(
    "descriptor",
    [
        {"path": "a"},
        {"path": "/a b"},
        {"path": "x" * 200_000},
        {"path": "/a", "range": [1, 0]},
        {"path": "/a", "range": [-1e308, 1e308]},
        {"path": "/a", "step": 1e-320},
        {"path": "/a", "default": 10**300},
        {"path": "/a", "kind": "vector", "size": 10**9},
        {"path": "/a", "kind": "string", "max_length": MAX_WHOLE},
        {"path": "/a", "kind": "choice", "choices": ["x" * 100_000]},
        {"path": "/a", "label": "x" * 100_000},
        {"path": "/a", "decimals": -1},
    ],
    ids=str,
)
def test_a_declaration_that_contradicts_itself_is_refused_in_few_words(descriptor: dict[str, Any]) -> None:
    text = json.dumps({"type": "declare", "controls": [descriptor]})
    with pytest.raises(ProtocolError) as caught:
        decode(text).controls[0].build("page")  # type: ignore[union-attr]
    assert caught.value.code in ("bad_value", "bad_message")
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("bad_message", ""),
        ("bad_message", "{"),
        ("bad_message", "null"),
        ("bad_message", "[]"),
        ("bad_message", '"set"'),
        ("bad_message", "{}"),
        ("bad_message", '{"type":5}'),
        ("bad_message", b"\xff\xfe\x00"),
        ("bad_message", b'{"type":"ack","rev":1}\xff'),
        ("bad_message", '\ufeff{"type":"ack","rev":1}'),
        ("unknown_type", '{"type":"sett"}'),
        ("unknown_type", '{"type":"set\\u0000"}'),
        ("unknown_type", json.dumps({"type": "x" * 200_000})),
        ("bad_message", '{"type":"set"}'),
        ("bad_message", '{"type":"set","values":{}}'),
        ("bad_message", '{"type":"set","values":[[1]]}'),
        ("bad_message", '{"type":"set","values":[[1,2,3]]}'),
        ("bad_message", '{"type":"set","values":[[true,1]]}'),
        ("bad_message", '{"type":"set","values":[[1.0,1]]}'),
        ("bad_message", '{"type":"set","values":[[null,1]]}'),
        ("bad_message", '{"type":"set","values":[[1,NaN]]}'),
        ("bad_message", '{"type":"set","values":[[1,Infinity]]}'),
        ("bad_message", '{"type":"set","values":[[1,1e400]]}'),
        ("bad_message", '{"type":"set","values":[[1,' + TOO_LONG_TO_READ + "]]}"),
        ("bad_message", '{"type":"set","values":[[' + "9" * 30 + ",1]]}"),
        ("bad_message", '{"type":"set","values":[[1,"\\ud800"]]}'),
        ("bad_message", '{"type":"set","values":[[1,"\ud800"]]}'),
        ("bad_message", '{"type":"set","values":' + "[" * 100_000 + "]" * 100_000 + "}"),
        ("bad_message", '{"type":"set","n":1.0,"values":[]}'),
        ("bad_message", '{"type":"set","n":-1,"values":[]}'),
        ("bad_message", '{"type":"set","n":' + "9" * 30 + ',"values":[]}'),
        ("bad_message", '{"type":"set","t":"now","values":[]}'),
        ("bad_message", '{"type":"set","type":"ack","rev":1}'),
        ("bad_message", '{"type":"ack","rev":"1"}'),
        ("bad_message", '{"type":"ack","rev":-1}'),
        ("bad_message", '{"type":"ack","rev":' + "9" * 30 + "}"),
        ("bad_message", '{"type":"trigger","id":1,"args":[null]}'),
        ("bad_message", '{"type":"trigger","id":1,"args":[[1]]}'),
        ("bad_message", '{"type":"trigger","id":1,"args":[' + "9" * 30 + "]}"),
        ("bad_message", '{"type":"hello","since":["a"]}'),
        ("bad_message", '{"type":"hello","since":["a",1e400]}'),
        ("bad_message", json.dumps({"type": "hello", "keys": "x" * 200_000})),
        ("bad_message", json.dumps({"type": "trigger", "id": 1, "args": [0] * (MAX_ARGS + 1)})),
        ("bad_message", json.dumps({"type": "touch", "ids": [1] * (MAX_MOVES + 1)})),
        ("bad_message", json.dumps({"type": "show", "ids": [1] * (MAX_KEYS + 1)})),
        ("bad_message", json.dumps({"type": "set", "values": [[1, 1]] * (MAX_MOVES + 1)})),
        ("bad_message", json.dumps({"type": "declare", "controls": [{"path": "/a"}] * (MAX_DESCRIPTORS + 1)})),
        ("too_large", '{"type":"ack","rev":1}' + " " * MAX_MESSAGE_BYTES),
        ("too_large", b" " * (MAX_MESSAGE_BYTES + 1)),
        ("too_large", json.dumps({"type": "hello", "name": "é" * 200_000}, ensure_ascii=False)),
    ],
    ids=lambda value: str(value[:60]),
)
def test_anything_else_is_refused_with_its_code_in_few_words(code: str, text: str | bytes) -> None:
    found = refusal(text)
    assert found.code == code
    assert len(found.message) <= 300
    found.message.encode()


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    known = "hello set trigger touch release declare ack ping show subscribe learn forget"
    assert known.split() == list(TYPES)
    assert refusal('{"type":"bye"}').message == f'no message type "bye": {", ".join(TYPES)}'


def test_a_wrong_field_is_named() -> None:
    assert "`$.values[0][0]`" in refusal('{"type":"set","values":[[null,1]]}').message


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_bytes_and_no_text_raise_anything_but_a_protocol_error(text: str | bytes) -> None:
    try:
        decode(text)
    except ProtocolError:
        number_of(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "n", "x"]), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["n", "t", "values", "id", "ids", "args", "rev", "since", "keys", "acks", "name", "page", "token", "controls"]


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(FIELDS), values, max_size=5))
def test_no_message_raises_anything_but_a_protocol_error(kind: Any, fields: dict[str, Any]) -> None:
    text = json.dumps({"type": kind, **fields})
    try:
        decode(text)
    except ProtocolError as exc:
        assert len(exc.message) <= 300
        number_of(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('{"type":"set","n":5}', 5),
        ('{"type":"trigger","n":6,"id":null}', 6),
        ('{"type":"ack","n":5}', None),  # has none to answer
        ('{"type":"set","n":true}', None),
        ('{"type":"set","n":1.5}', None),
        ('{"type":"set","n":-5}', None),
        ('{"type":"set","n":' + "9" * 30 + "}", None),
        ('{"type":"set","n":' + TOO_LONG_TO_READ + "}", None),
        ('{"type":"set","n":5', None),
        ("[5]", None),
        ("\ud800", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_number_of_a_refused_set_is_found_where_it_has_one(text: str, number: int | None) -> None:
    assert number_of(text) == number
