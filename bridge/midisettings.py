"""The tables ``[[midi]]`` and ``[control.midi.NAME]``: their keys, types, defaults and what they say. Pure.

What is checked here needs one table alone. Whether a binding suits its control is decided where it is compiled, in
``midibind``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic import model_validator as check_together

from .law import Curve
from .midicodec import TOP_7, TOP_14, Coding, Key, KeyKind
from .tables import Table, check_name

MAX_PORT_NAME = 120
Takeover = Literal["jump", "pickup", "scale"]
Feedback = Literal["changes", "always", "off"]
Api = Literal["auto", "alsa", "jack", "coremidi", "winmm"]

_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


def _name(text: str) -> str:
    return check_name(text, "midi")


def _port_name(text: str) -> str:
    if not 0 < len(text) <= MAX_PORT_NAME or not text.isprintable():
        raise ValueError(f"must be 1–{MAX_PORT_NAME} characters of a port's name: `stagebridge midi` lists them")
    return text


def _port_or_none(raw: Any) -> Any:
    if raw is False:
        return raw
    if not isinstance(raw, str):
        raise ValueError("must be a part of a port's name, or false for none")
    return _port_name(raw)


def _number(low: int, high: int) -> Callable[[Any], int]:
    def read(raw: Any) -> int:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,5}", raw):
            raw = int(raw)  # placeholders make texts: cc = "{n0}"
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(f"must be {low}–{high}")
        return raw

    return read


def _schema(low: int, high: int) -> Any:
    whole = {"type": "integer", "minimum": low, "maximum": high}
    return WithJsonSchema({"anyOf": [whole, {"type": "string", "pattern": "\\{[A-Za-z_]|^[0-9]+$"}]})


Number7 = Annotated[int, PlainValidator(_number(0, TOP_7)), _schema(0, TOP_7)]
Number14 = Annotated[int, PlainValidator(_number(0, TOP_14 - 1)), _schema(0, TOP_14 - 1)]
NumberWide = Annotated[int, PlainValidator(_number(0, 31)), _schema(0, 31)]
"""The MSB of a 14-bit CC; its LSB is 32 above (MIDI 1.0, "Control Change")."""
Channel = Annotated[int, PlainValidator(_number(1, 16)), _schema(1, 16)]


def _program(raw: Any) -> Any:
    return raw if raw is True else _number(0, TOP_7)(raw)


def _yes(raw: Any) -> Any:
    if raw is not True:
        raise ValueError("must be true")
    return raw


def _range(raw: Any) -> tuple[int, int]:
    """Two different whole numbers, in either order; of a placeholder too."""
    if not isinstance(raw, (list, tuple)) or len(raw) != 2:
        raise ValueError("must be two numbers, [low, high]")
    low, high = (_number(0, TOP_14)(one) for one in raw)
    if low == high:
        raise ValueError("both ends are the same")
    return low, high


class Settings(Table):
    """One MIDI controller, or one program that speaks MIDI: a ``[[midi]]`` table."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        description="What it is called in `[control.midi.NAME]` and on the page."
    )
    device: Annotated[str, AfterValidator(_port_name)] | None = Field(
        None, description="A part of its ports' names, in and out: `stagebridge midi` lists them."
    )
    in_: Annotated[
        str | Literal[False] | None,
        PlainValidator(_port_or_none),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"const": False}]}),
    ] = Field(
        None,
        alias="in",
        description="A part of the name of the port that we hear, where it is another; `false`: none.",
        json_schema_extra={"x-default": "`device`"},
    )
    out: Annotated[
        str | Literal[False] | None,
        PlainValidator(_port_or_none),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"const": False}]}),
    ] = Field(
        None,
        description="A part of the name of the port that we send to, where it is another; `false`: none.",
        json_schema_extra={"x-default": "`device`"},
    )
    exact: bool = Field(False, description="Names are whole names, not parts of them.")
    index: int = Field(1, ge=1, le=64, description="Which of several ports with fitting names, from 1: for twins.")
    virtual: bool = Field(
        False,
        description="We make ports of this name that others connect to, instead of looking for theirs. Not on Windows.",
    )
    api: Api = Field(
        "auto", description="The MIDI system: by itself the one of this machine, on Linux ALSA, else JACK."
    )
    channel: Channel = Field(1, description="The channel of its bindings that say none, and of `touch`.")
    rate: float = Field(
        1000.0, ge=1, le=100_000, description="Most messages a second to it; a DIN cable carries about 1,000."
    )
    feedback: Feedback = Field(
        "changes",
        description="What is sent to it: `changes` that it did not make itself (and LEDs and rings); `always`: its own "
        "moves too, for a motor fader that falls back without; `off`: nothing.",
    )
    settle_ms: float = Field(
        100.0,
        ge=0,
        le=5000,
        description="A fader that the device has just moved is sent nothing for so long: "
        "it would fight the hand. For faders without `touch`.",
    )
    takeover: Takeover = Field(
        "jump",
        description="A fader without motor that stands elsewhere than its control: the control jumps to it; or it "
        "follows from where the fader passes it (`pickup`); or runs ahead until both meet (`scale`).",
    )
    bend_top: int = Field(
        TOP_14,
        ge=1,
        le=TOP_14,
        description="The highest pitch bend that it sends: the faders of an X-Touch end at 15935.",
    )
    on: Number7 = Field(127, description="Lights an LED: velocity of the note, or value of the CC.")
    off: Number7 = Field(0, description="Puts an LED out.")
    echoes: Literal["yes", "no"] = Field(
        "no", description='`"yes"`: it may send back what it is sent, so what comes back soon is no move of its own.'
    )
    echo_window_ms: float = Field(
        250.0, ge=10, le=5000, description="How late its echo of a value may be. Longer than its delay."
    )
    echo_tolerance: float | None = Field(
        None,
        ge=0,
        le=0.5,
        description="How far an echo may be from what was sent, as a part of the range. One step always may.",
        json_schema_extra={"x-default": "one step"},
    )

    @check_together(mode="after")
    def _check(self) -> Settings:
        if self.in_port is None and self.out_port is None:
            raise ValueError('says no port: write device = "part of its name" (`stagebridge midi` lists them)')
        if self.out_port is None and {"feedback", "settle_ms", "rate", "on", "off"} & self.model_fields_set:
            raise ValueError("has no port to send to, so feedback, settle_ms, rate, on and off do nothing")
        if self.virtual and (self.exact or self.index != 1):
            raise ValueError("exact and index choose among others' ports: a virtual port is ours")
        if self.echoes == "no" and "echo_tolerance" in self.model_fields_set:
            raise ValueError('echo_tolerance is for echoes = "yes"')
        return self

    @property
    def in_port(self) -> str | None:
        """The name, or a part of it, of the port that we hear; None: there is none."""
        return self._port(self.in_)

    @property
    def out_port(self) -> str | None:
        """The name, or a part of it, of the port that we send to; None: there is none."""
        return self._port(self.out)

    def _port(self, own: str | Literal[False] | None) -> str | None:
        if own is False:
            return None
        return own or self.device or (self.name if self.virtual else None)


class Binding(Table):
    """Which MIDI message carries one control: ``[control.midi.NAME]``."""

    note: Number7 | None = Field(None, description="A note: a key, a pad, a button and its LED.")
    cc: Number7 | None = Field(None, description="A control change, 7 bits.")
    cc14: NumberWide | None = Field(None, description="A control change of 14 bits: its LSB is the CC 32 above.")
    nrpn: Number14 | None = Field(None, description="A non-registered parameter: MSB × 128 + LSB.")
    rpn: Number14 | None = Field(None, description="A registered parameter: MSB × 128 + LSB.")
    bend: Annotated[bool, PlainValidator(_yes), WithJsonSchema({"const": True})] | None = Field(
        None, description="`true`: pitch bend, 14 bits; what motor faders often are."
    )
    program: (
        Annotated[
            int | bool,
            PlainValidator(_program),
            WithJsonSchema({"anyOf": [{"const": True}, {"type": ["integer", "string"]}]}),
        ]
        | None
    ) = Field(None, description="`true`: the number of the program change is the value; a number: it fires a trigger.")
    pressure: Annotated[bool, PlainValidator(_yes), WithJsonSchema({"const": True})] | None = Field(
        None, description="`true`: channel pressure."
    )
    channel: Channel | None = Field(None, description="1–16.", json_schema_extra={"x-default": "the device's"})
    direction: Literal["in", "out", "both"] = Field(
        "both", description="`in`: we only hear it. `out`: we only send it."
    )
    range: Annotated[
        tuple[int, int] | None, PlainValidator(_range), WithJsonSchema({**_NUMBERS, "items": {"type": "integer"}})
    ] = Field(
        None,
        description="The device's range, `[low, high]`; `[127, 0]` turns it round.",
        json_schema_extra={"x-default": "all that the message has"},
    )
    curve: Curve | None = Field(
        None,
        description="How the device's range runs along the widget's travel.",
        json_schema_extra={"x-default": "`linear`"},
    )
    mode: Literal["momentary", "toggle", "velocity"] | None = Field(
        None,
        description="A button: on while it is down, or on and off in turn. A note on a number: how hard.",
        json_schema_extra={"x-default": "what suits the control"},
    )
    relative: Coding | None = Field(
        None,
        description="An encoder without ends, and how it says left and right: `twos` 127/1, `offset` 63/65, "
        "`sign` 65/1, `sign2` 1/65. Larger steps are its acceleration.",
        json_schema_extra={"x-default": "none: it says where it stands"},
    )
    step: float | None = Field(
        None,
        gt=0,
        le=1,
        description="How far one step of the encoder moves, as a part of the travel.",
        json_schema_extra={"x-default": "0.01; one step of an int or a choice"},
    )
    component: int | None = Field(None, ge=0, description="Which component of a vector this is, from 0.")
    touch: Number7 | None = Field(
        None,
        description="The note that says that a finger is on the fader (127) or gone (0), on the device's `channel`; "
        "while it is, the device is sent nothing for it, and then where the control stands.",
    )
    feedback: Feedback | None = Field(
        None, description="As of the device, for this one.", json_schema_extra={"x-default": "the device's"}
    )
    settle_ms: float | None = Field(
        None,
        ge=0,
        le=5000,
        description="As of the device, for this one.",
        json_schema_extra={"x-default": "the device's"},
    )
    takeover: Takeover | None = Field(
        None, description="As of the device, for this one.", json_schema_extra={"x-default": "the device's"}
    )
    on: Number7 | None = Field(
        None, description="Lights its LED; also its colour.", json_schema_extra={"x-default": "the device's"}
    )
    off: Number7 | None = Field(None, description="Puts its LED out.", json_schema_extra={"x-default": "the device's"})

    @check_together(mode="after")
    def _check(self) -> Binding:
        written = [kind for kind in KEYS if getattr(self, kind) is not None]
        if not written:
            raise ValueError(f"says no message: write one of {', '.join(KEYS)}")
        if len(written) > 1:
            raise ValueError(f"{' and '.join(written)} stand together: one message carries one value")
        return self

    @property
    def kind(self) -> KeyKind:
        """The message that carries it."""
        return next(kind for kind in KEYS if getattr(self, kind) is not None)

    def key(self, channel: int) -> Key:
        """What carries it; ``channel`` is the device's."""
        number = getattr(self, self.kind)
        has_number = self.kind not in ("bend", "program", "pressure")
        return Key(self.kind, self.channel or channel, number if has_number else 0)


KEYS: tuple[KeyKind, ...] = ("note", "cc", "cc14", "nrpn", "rpn", "bend", "program", "pressure")
