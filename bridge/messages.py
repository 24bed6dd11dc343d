"""The browser protocol ``stagebridge.v1`` as types: what a client may send, decoded and checked in one step.

``docs/protocol.md`` is the full text. Server messages are made by ``frames``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

import msgspec

from .coercion import MAX_ARGS, MAX_WHOLE
from .control import Access, Control, Kind, Widget
from .errors import BadControl, ProtocolError
from .law import Curve

PROTOCOL = 1
SUBPROTOCOL = "stagebridge.v1"
MAX_MESSAGE_BYTES = 256 * 1024
"""Longest message either side may send."""

MAX_KEYS = 8192
"""Most controls that one message may name: as many as there can be."""
MAX_MOVES = 1024
"""Most controls that one message may move or hold: some ms, in which nobody else is heard."""
MAX_DESCRIPTORS = 1024
"""Most controls that one message may declare; pages can have fewer, and are told which were too many."""
MAX_REASON = 200  # characters of an answer that quotes the message

Whole = Annotated[int, msgspec.Meta(ge=-MAX_WHOLE, le=MAX_WHOLE)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_WHOLE)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]
Key = Whole | str
"""A control's id, or its path."""
Keys = Annotated[list[Key], msgspec.Meta(max_length=MAX_KEYS)]
FewKeys = Annotated[list[Key], msgspec.Meta(max_length=MAX_MOVES)]


class Hello(msgspec.Struct, tag="hello", tag_field="type"):
    """First message of a connection. ``t`` is the page's clock in ms; ``since`` is [epoch, revision]."""

    name: str = ""
    page: str = ""
    t: float | None = None
    since: tuple[str, Whole] | None = None
    view: str | None = None
    keys: Literal["id", "path"] = "id"
    acks: bool = True
    token: str | None = None


class Set(msgspec.Struct, tag="set", tag_field="type"):
    values: Annotated[list[tuple[Key, Any]], msgspec.Meta(max_length=MAX_MOVES)]
    n: Count | None = None
    t: float | None = None


class Trigger(msgspec.Struct, tag="trigger", tag_field="type"):
    id: Key
    args: Annotated[list[bool | Whole | float | str], msgspec.Meta(max_length=MAX_ARGS)] = []
    n: Count | None = None
    t: float | None = None


class Touch(msgspec.Struct, tag="touch", tag_field="type"):
    ids: FewKeys


class Release(msgspec.Struct, tag="release", tag_field="type"):
    ids: FewKeys


class Descriptor(msgspec.Struct):
    """A control as a page declares it: the fields of ``Control`` that a page may give."""

    path: str
    kind: Kind | None = None
    access: Access | None = None
    range: tuple[float, float] | None = None
    step: float | None = None
    curve: Curve | None = None
    unit: str | None = None
    decimals: Whole | None = None
    default: bool | Whole | float | str | list[float] | None = None
    label: str | None = None
    choices: list[str] | None = None
    size: Whole | None = None
    widget: Widget | None = None
    momentary: bool | None = None
    bipolar: bool | None = None
    max_length: Whole | None = None

    def build(self, owner: str) -> Control:
        """The control it describes. Raises ProtocolError ``bad_value``, naming path and field."""
        fields = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        if "choices" in fields:
            fields["choices"] = tuple(fields["choices"])
        if isinstance(fields.get("default"), list):
            fields["default"] = tuple(fields["default"])
        try:
            return Control(**fields, owner=owner)
        except BadControl as exc:
            raise ProtocolError("bad_value", f"{self.path[:MAX_REASON]}: {exc}") from exc


class Declare(msgspec.Struct, tag="declare", tag_field="type"):
    controls: Annotated[list[Descriptor], msgspec.Meta(max_length=MAX_DESCRIPTORS)]


class Ack(msgspec.Struct, tag="ack", tag_field="type"):
    """``held``: for how many ms the page has had this revision."""

    rev: Count
    held: Milliseconds = 0.0


class Ping(msgspec.Struct, tag="ping", tag_field="type"):
    """``rev``: an ack that rides along."""

    t: float
    rev: Count | None = None
    held: Milliseconds = 0.0


class Show(msgspec.Struct, tag="show", tag_field="type"):
    """The meters that this page draws now."""

    ids: Keys


class Subscribe(msgspec.Struct, tag="subscribe", tag_field="type"):
    """What is told beside the controls, and droppable; replaces what was asked for before.

    ``peer`` and ``address`` (a pattern; what is below it too) narrow the monitor.
    """

    what: Annotated[list[Literal["monitor", "learn", "metrics"]], msgspec.Meta(max_length=8)]
    peer: str | None = None
    address: str | None = None


class Learn(msgspec.Struct, tag="learn", tag_field="type"):
    """The next move of the hardware is for this control (``component``: for this number of a vector), or for none."""

    id: Key | None = None
    component: Count | None = None


class Forget(msgspec.Struct, tag="forget", tag_field="type"):
    """These learnt bindings are to go."""

    bindings: Annotated[list[Count], msgspec.Meta(max_length=MAX_KEYS)]


Message = Hello | Set | Trigger | Touch | Release | Declare | Ack | Ping | Show | Subscribe | Learn | Forget
TYPES = tuple(cls.__struct_config__.tag for cls in get_args(Message))

_decode: Callable[[str | bytes], Message] = msgspec.json.Decoder(Message).decode
_decode_any = msgspec.json.Decoder().decode
_NOT_DECODED = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding raises: for bad JSON and wrong types, for bad UTF-8, for brackets without end."""


def decode(text: str | bytes) -> Message:
    """One client message. Raises ProtocolError (``bad_message``, ``unknown_type``, ``too_large``)."""
    size = len(text) if isinstance(text, bytes) or text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_MESSAGE_BYTES:
        raise ProtocolError("too_large", f"a message may have {MAX_MESSAGE_BYTES} bytes, this one has {size}")
    try:
        return _decode(text)
    except _NOT_DECODED as exc:
        raise _explained(text, exc) from exc


def number_of(text: str | bytes) -> int | None:
    """The ``n`` of a message that was refused, where there is one: it must be answered all the same."""
    try:
        message = _decode_any(text)
    except _NOT_DECODED:
        return None
    n = message.get("n") if isinstance(message, dict) and message.get("type") in ("set", "trigger") else None
    return n if type(n) is int and 0 <= n <= MAX_WHOLE else None


def _explained(text: str | bytes, exc: Exception) -> ProtocolError:
    try:
        message = _decode_any(text)
    except _NOT_DECODED as not_json:
        return ProtocolError("bad_message", f"not JSON: {not_json}"[:MAX_REASON])
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str):
        return ProtocolError("bad_message", 'a message is an object with a "type"')
    if kind not in TYPES:
        return ProtocolError("unknown_type", f'no message type "{kind[:40]}": {", ".join(map(str, TYPES))}')
    return ProtocolError("bad_message", f"{kind}: {exc}"[:MAX_REASON])
