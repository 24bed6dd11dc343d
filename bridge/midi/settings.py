"""The tables ``[[midi]]`` and ``[control.midi.NAME]``: their keys, types, defaults and what they say. Pure.

What is checked here needs one table alone. Whether a binding suits its control is said by ``fit``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema
from pydantic import model_validator as check_together

from bridge.config.base import WHOLE_NUMBERS, Table, read_profile
from bridge.config.expand import MAX_CONTROLS, substitute, unknown_placeholders, variables_of
from bridge.law import Curve

from .clock import CLOCK_KEYS, Word
from .codec import TOP_14, Coding, Key, KeyKind
from .fields import (
    Channel,
    Number7,
    Number14,
    NumberWide,
    Sent,
    read_message,
    read_name,
    read_port_name,
    read_port_or_none,
    read_program,
    read_range,
    read_sent,
    read_sysex,
    read_yes,
)

_KINDS: tuple[KeyKind, ...] = get_args(KeyKind)
"""Keys of a binding that say which message carries it: one of them."""
SHIPPED = ("mcu", "nanokontrol2", "launchcontrol-xl", "x-touch-mini")
"""Profiles that come with stagebridge, for the schema; their files are in ``bridge/profiles/midi``."""

FOR_IN = ("takeover", "mode", "settle_ms", "echoes", "echo_window_ms", "echo_tolerance")
"""Keys of a device that do nothing where there is no port that we hear."""
FOR_OUT = ("feedback", "settle_ms", "rate", "on", "off", "hello", "echoes", "echo_window_ms", "echo_tolerance")
"""The same where there is none to send to."""

Takeover = Literal["jump", "pickup", "scale"]
Feedback = Literal["changes", "always", "off"]
Ring = Literal["dot", "pan", "bar", "spread", "auto"]
Rows = Literal["label", "group", "value"]
Api = Literal["auto", "alsa", "jack", "coremidi", "winmm"]


class Part(Table):
    """A thing on the device that has a name, or several: the other keys are those of its binding, ``bindings`` are
    several, which share the other keys. A profile is mostly these."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="What `part` calls it.", min_length=1, max_length=60)
    repeat: int | None = Field(None, description="Makes this many of it, with `{n}` and `{n0}` as in a control.")
    each: dict[str, Any] | None = Field(None, description="Makes one for each, as in a control.")
    bindings: list[dict[str, Any]] | None = Field(
        None, description="The messages of a part that has several: an encoder and its ring."
    )

    @check_together(mode="after")
    def _check(self) -> Part:
        self.made  # noqa: B018 - raises
        return self

    @cached_property
    def made(self) -> Mapping[str, tuple[Binding, ...]]:
        """Its bindings, by name. Raises ValueError."""
        said: list[str] = []

        def report(keys: Any, message: str, hint: str | None = None) -> None:
            said.append(f"{'.'.join(map(str, keys))}: {message}")

        table = {"name": self.name, "bindings": self.bindings or [{}], **(self.model_extra or {})}
        counting = {key: value for key, value in (("repeat", self.repeat), ("each", self.each)) if value is not None}
        rows = variables_of(counting, MAX_CONTROLS, report)
        if rows:
            unknown_placeholders(table, rows[0], report)
        found: dict[str, tuple[Binding, ...]] = {}
        for row in rows if not said else ():
            made = substitute(table, row)
            if "part" in made:
                raise ValueError("part: is for a control's binding")
            name, bindings = made.pop("name"), made.pop("bindings")
            if name in found:
                raise ValueError(f"{name} is there twice: write {{n}} into its name")
            try:
                found[name] = tuple(Binding.model_validate(made | each) for each in bindings)
            except ValidationError as exc:
                error = exc.errors()[0]
                is_unknown = error["type"] == "extra_forbidden"
                text = "unknown key" if is_unknown else error.get("ctx", {}).get("error", error["msg"])
                said.append(f"{name}: {'.'.join(map(str, error['loc']))}: {text}")
        if said:
            raise ValueError(said[0])
        return found


class Mode(Table):
    """Another mode of the device: what it sends in it, and not as it is bound."""

    looks_like: str = Field(description="What the performer is told: `its DAW mode`.", min_length=1, max_length=60)
    sends: Annotated[
        tuple[Annotated[Sent, PlainValidator(read_sent), WithJsonSchema({"type": "string"})], ...], Field(strict=False)
    ] = Field(description="Some of its messages: `bend`, `cc 16-23`, `note on channel 1`.", min_length=1)
    help: str = Field("", description="How to leave it.", max_length=200)

    def has(self, key: Key) -> bool:
        """True if it sends this."""
        return any(sent.has(key) for sent in self.sends)


class Settings(Table):
    """One MIDI controller, or one program that speaks MIDI: a ``[[midi]]`` table."""

    name: Annotated[str, AfterValidator(read_name)] = Field(
        description="What it is called in `[control.midi.NAME]` and on the page."
    )
    profile: (
        Annotated[
            str, AfterValidator(read_profile), WithJsonSchema({"anyOf": [{"enum": list(SHIPPED)}, {"type": "string"}]})
        ]
        | None
    ) = Field(
        None,
        description="What kind of device it is: it says what is not written here, and names its parts. `NAME` is "
        "yours, in `profiles/midi/NAME.toml` beside this file.",
    )
    device: Annotated[str, AfterValidator(read_port_name)] | None = Field(
        None, description="A part of its ports' names, in and out: `stagebridge midi` lists them."
    )
    in_: Annotated[
        str | Literal[False] | None,
        PlainValidator(read_port_or_none),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"const": False}]}),
    ] = Field(
        None,
        alias="in",
        description="A part of the name of the port that we hear, where it is another; `false`: none.",
        json_schema_extra={"x-default": "`device`"},
    )
    out: Annotated[
        str | Literal[False] | None,
        PlainValidator(read_port_or_none),
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

    part: Annotated[tuple[Part, ...], Field(strict=False)] = Field(
        (), description="More parts, or others of the same name than the profile's: see [MIDI](midi.md#parts)."
    )

    mode: Annotated[tuple[Mode, ...], Field(strict=False)] = Field(
        (), description="What it sends in a wrong mode, so that the performer is told."
    )
    hello: Annotated[
        tuple[Annotated[bytes, PlainValidator(read_message), WithJsonSchema({"type": "string"})], ...],
        Field(strict=False),
    ] = Field(
        (), description="Messages that it is sent when it is connected, before everything else; in hex.", max_length=32
    )

    @check_together(mode="after")
    def _check(self) -> Settings:
        if self.in_port is None and self.out_port is None:
            raise ValueError('says no port: write device = "part of its name" (`stagebridge midi` lists them)')
        for port, missing, keys in (
            (self.in_port, "that we hear", FOR_IN),
            (self.out_port, "to send to", FOR_OUT),
        ):
            if port is None and (idle := [key for key in keys if key in self.model_fields_set]):
                raise ValueError(f"has no port {missing}: {idle[0]} does nothing")
        if self.virtual and (self.exact or self.index != 1):
            raise ValueError("exact and index choose among others' ports: a virtual port is ours")
        if self.echoes == "no" and "echo_tolerance" in self.model_fields_set:
            raise ValueError('echo_tolerance is for echoes = "yes"')
        return self

    @cached_property
    def parts(self) -> Mapping[str, tuple[Binding, ...]]:
        """The bindings of each part, by its name: the peer's own beat its profile's, which stand behind them."""
        return {name: bindings for part in reversed(self.part) for name, bindings in part.made.items()}

    @cached_property
    def vocabulary(self) -> frozenset[Key]:
        """What its parts send."""
        found = {each.key(self.channel) for part in self.parts.values() for each in part if each.direction != "out"}
        touches = {each.touch for part in self.parts.values() for each in part if each.touch is not None}
        return frozenset(found | {Key("note", self.channel, touch) for touch in touches})

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

    part: str | None = Field(
        None,
        description="A part of the device, by its name in its `profile`, instead of a message; other keys beat the "
        "profile's.",
    )
    note: Number7 | None = Field(None, description="A note: a key, a pad, a button and its LED.")
    cc: Number7 | None = Field(None, description="A control change, 7 bits.")
    cc14: NumberWide | None = Field(None, description="A control change of 14 bits: its LSB is the CC 32 above.")
    nrpn: Number14 | None = Field(None, description="A non-registered parameter: MSB × 128 + LSB.")
    rpn: Number14 | None = Field(None, description="A registered parameter: MSB × 128 + LSB.")
    bend: Annotated[bool, PlainValidator(read_yes), WithJsonSchema({"const": True})] | None = Field(
        None, description="`true`: pitch bend, 14 bits; what motor faders often are."
    )
    program: (
        Annotated[
            int | bool,
            PlainValidator(read_program),
            WithJsonSchema({"anyOf": [{"const": True}, {"type": ["integer", "string"]}]}),
        ]
        | None
    ) = Field(None, description="`true`: the number of the program change is the value; a number: it fires a trigger.")
    pressure: Annotated[bool, PlainValidator(read_yes), WithJsonSchema({"const": True})] | None = Field(
        None, description="`true`: channel pressure."
    )
    clock: Word | None = Field(
        None,
        description="MIDI clock, 24 ticks a beat: its `tempo` in bpm, whether the song is `running`, the `beat` where "
        "it is, and the messages `start`, `continue` and `stop`, which are triggers.",
    )
    sysex: Annotated[bytes, PlainValidator(read_sysex), WithJsonSchema({"type": "string"})] | None = Field(
        None,
        description="A system exclusive message, only sent: its bytes in hex, without F0 and F7; the value is one more "
        "behind them, or `text`.",
    )
    text: Rows | None = Field(
        None,
        description="A display: of a `sysex` are sent the control's `label`, its `group`, or its `value` in words.",
    )
    width: int | None = Field(
        None, ge=1, le=64, description="Characters of `text`.", json_schema_extra={"x-default": "7"}
    )
    channel: Channel | None = Field(None, description="1–16.", json_schema_extra={"x-default": "the device's"})
    direction: Literal["in", "out", "both"] = Field(
        "both", description="`in`: we only hear it. `out`: we only send it."
    )
    range: Annotated[tuple[int, int] | None, PlainValidator(read_range), WithJsonSchema(WHOLE_NUMBERS)] = Field(
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
        "`sign` 65/1, `sign2` 1/65. Larger steps are its own acceleration.",
        json_schema_extra={"x-default": "none: it says where it stands"},
    )
    step: float | None = Field(
        None,
        gt=0,
        le=1,
        description="How far one step of the encoder moves, as a part of the travel.",
        json_schema_extra={"x-default": "0.01; one step of an int or a choice"},
    )
    acceleration: float | None = Field(
        None,
        ge=1,
        le=100,
        description="Turned fast, a step of the encoder moves up to so many times as far; turned slowly, as always.",
        json_schema_extra={"x-default": "1"},
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

    ring: Ring | None = Field(
        None,
        description="A ring of LEDs around an encoder, as a Mackie Control has it: a dot, from the middle (`pan`), "
        "from the left (`bar`), to both sides (`spread`); `auto`: what suits the control.",
        json_schema_extra={"x-default": "none: a number"},
    )
    leds: Annotated[tuple[Number7, ...], Field(strict=False)] | None = Field(
        None,
        description="A button that goes through a choice or an int: what its LED is sent for each; `[0, 1, 127]` is "
        "off, blinking and on for a Mackie Control.",
        min_length=2,
    )

    @check_together(mode="after")
    def _check(self) -> Binding:
        written = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if self.part is not None:
            if written:
                raise ValueError(f"part and {written[0]} stand together: the part says which message it is")
            return self
        if not written:
            raise ValueError(f"says no message: write one of {', '.join(_KINDS)}, or part")
        if len(written) > 1:
            raise ValueError(f"{' and '.join(written)} stand together: one message carries one value")
        return self

    @property
    def kind(self) -> KeyKind:
        """The message that carries it. Not of a ``part``: that may have several (``bind.compile_routes``)."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    def key(self, channel: int) -> Key:
        """What carries it; ``channel`` is the device's."""
        if self.clock is not None:
            return CLOCK_KEYS[self.clock]
        number = getattr(self, self.kind)
        has_number = self.kind not in ("bend", "program", "pressure", "sysex")
        return Key(self.kind, self.channel or channel, number if has_number else 0)
