"""The tables ``[[osc]]`` and ``[control.osc.NAME]``: their keys, types, defaults and what they say. Pure.

What is checked here needs one table alone, or the ``[[osc]]`` tables together (``check_peers``).
Whether a binding suits its control is decided where it is compiled, in ``bind``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic import model_validator as check_together

from bridge.config.base import NUMBERS, Table, read_profile

from .fields import (
    MAX_ARGS,
    MAX_CALLS,
    MAX_COLORS,
    MAX_SOURCES,
    MAX_TARGETS,
    PRIVATE,
    SHOWN,
    TOP_CC,
    VALUE,
    Arguments,
    Call,
    Endpoint,
    Network,
    parse_endpoint,
    read_address,
    read_args,
    read_call,
    read_calls,
    read_colors,
    read_host,
    read_lane_ccs,
    read_listen,
    read_look,
    read_name,
    read_patterns,
    read_prefix,
    read_range,
    read_send,
    read_shown,
    read_sources,
    read_table,
    read_thing,
    read_touch,
)

__all__ = [
    "MAX_SOURCES",
    "MAX_TARGETS",
    "SHIPPED",
    "VALUE",
    "Arguments",
    "Binding",
    "Call",
    "Endpoint",
    "Network",
    "Settings",
    "Types",
    "check_peers",
    "parse_endpoint",
]  # fmt: skip

SHIPPED = (
    "generic", "max", "pd", "supercollider", "x32", "xair", "touchosc", "qlab", "reaper", "ardour", "eos", "abletonosc",
)  # fmt: skip
"""Profiles that come with stagebridge, for the schema; their files are in ``bridge/profiles``."""
MAX_LEARNT = 4096
MAX_ADVICE = 400  # characters
LISTED_PER_S, OTHERS_PER_S = 100_000, 5_000
"""``flood`` where it is not written: of hosts in ``send``, ``host`` or ``from`` and of this machine, and of others."""
BindingCurve: TypeAlias = Literal["linear", "log", "db", "table"]

LEAST_DATAGRAM = 128  # bytes
MOST_DATAGRAM = 9216  # bytes; macOS sends no more

_TEXTS = {"type": "array", "items": {"type": "string"}}
_CALL = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1, "maxItems": 1 + MAX_ARGS}
_CC = {"type": "integer", "minimum": 0, "maximum": TOP_CC}
_CALLS = {"anyOf": [{"type": "array", "items": _CALL, "maxItems": MAX_CALLS}, _CALL]}


class Types(Table):
    """What values are sent as: ``types`` of an ``[[osc]]`` table. The first of each is what every receiver takes."""

    bool: Literal["i", "f", "T"] = Field("i", description="On and off as `i` 1 and 0, as `f`, or as `T` and `F`.")
    int: Literal["i", "f", "h"] = Field("i", description="Whole numbers in 32 bits, as floats, or in 64 bits.")
    float: Literal["f", "d"] = Field("f", description="Numbers in 32 bits, or in 64.")
    string: Literal["s", "S"] = Field("s", description="Texts as strings, or as symbols.")
    color: Literal["ffff", "fff", "r", "s"] = Field(
        "ffff", description='Four floats 0…1, three without alpha, the colour type, or text `"#rrggbb"`.'
    )
    vector: Literal["flat", "array"] = Field("flat", description="One argument for each component, or one array.")
    trigger: Literal["1", "none", "I", "N", "T"] = Field(
        "1", description="What a trigger without arguments is sent with: `i` 1, nothing, impulse, nil, or true."
    )
    nil: Literal["drop", "N", "0"] = Field(
        "drop", description="A trigger's argument that is no value (`N`): left out, nil, or `i` 0."
    )


class Settings(Table):
    """One program or desk that speaks OSC: an ``[[osc]]`` table."""

    name: Annotated[str, AfterValidator(read_name)] = Field(
        description="What it is called in `[control.osc.NAME]` and on the page."
    )
    profile: Annotated[
        str, AfterValidator(read_profile), WithJsonSchema({"anyOf": [{"enum": list(SHIPPED)}, {"type": "string"}]})
    ] = Field(
        "generic",
        description="What kind of program it is: it says what is not written here. `NAME` is yours, in "
        "`profiles/NAME.toml` beside this file.",
    )
    host: Annotated[str, AfterValidator(read_host)] | None = Field(
        None, description="Where it runs: enough for a profile that knows the port. Instead of `send`."
    )
    port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Where it hears us at `host`.",
        json_schema_extra={"x-default": "the profile's"},
    )
    send: Annotated[
        Literal["last"] | tuple[str, ...],
        PlainValidator(read_send),
        WithJsonSchema({"anyOf": [{"const": "last"}, {**_TEXTS, "maxItems": MAX_TARGETS}]}),
    ] = Field((), description='Where it hears us: `["host:port", …]`, or `"last"`: whoever spoke to us last.')
    reply_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description='UDP port of whoever speaks to us at which it hears answers, and everything with `send = "last"`.',
        json_schema_extra={"x-default": "where it spoke from"},
    )
    listen: Annotated[str, AfterValidator(read_listen)] = Field(
        "0.0.0.0:0",
        description="Where we hear it, and send from. Without it any free UDP port is taken: "
        "enough for a peer that answers to where a message came from. Over TCP: where it may connect to us.",
        json_schema_extra={"x-default": "any free port"},
    )
    sources: Annotated[tuple[str, ...], PlainValidator(read_sources), WithJsonSchema({**_TEXTS, "minItems": 1})] = (
        Field(
            (),
            alias="from",
            description="Addresses or networks that are heard; others are ignored. "
            "Needed where two tables have the same `listen`.",
            json_schema_extra={"x-default": "everybody"},
        )
    )
    allow: Annotated[tuple[str, ...], PlainValidator(read_sources), WithJsonSchema({**_TEXTS, "minItems": 1})] = Field(
        PRIVATE,
        description="Addresses or networks that are let in, beside the hosts that the table names: "
        '`["192.168.1.0/24"]`; `["0.0.0.0/0", "::/0"]` is everybody, the internet too.',
        json_schema_extra={"x-default": "this machine, private and link-local networks"},
    )
    flood: int | None = Field(
        None,
        ge=10,
        le=1_000_000,
        description="Most messages a second from one host; more are dropped, and counted.",
        json_schema_extra={
            "x-default": f"{LISTED_PER_S} from hosts that the table names and this machine, {OTHERS_PER_S} from others"
        },
    )
    transport: Literal["udp", "tcp-slip", "tcp-length"] = Field(
        "udp", description="UDP, or TCP with packets framed by SLIP (OSC 1.1) or by their length (OSC 1.0)."
    )

    mirror: bool = Field(
        True, description="Every control goes to it at its own path, unless it has a binding or is left out."
    )
    prefix: Annotated[str, AfterValidator(read_prefix)] = Field(
        "", description='Put before every address that is sent, and taken off those that are heard: `"/gma3"`.'
    )
    bare_addresses: bool = Field(False, description="Addresses without a leading `/` are heard, as if they had one.")
    touch: Annotated[str, AfterValidator(read_touch)] | None = Field(
        None,
        description='Where it says that a finger is on a control (1) or gone (0): `"{path}/z"`. '
        "`touch` of a binding beats it.",
    )
    types: Types = Field(
        Types(), description="What values are sent as, see below.", json_schema_extra={"x-default": "see below"}
    )
    colors: Annotated[
        tuple[str, ...], PlainValidator(read_colors), WithJsonSchema({**_TEXTS, "maxItems": MAX_COLORS})
    ] = Field(
        (),
        description="The colours that its numbers mean, from 0: for bindings with `color`.",
        json_schema_extra={"x-default": "none"},
    )

    rate: float | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Most messages a second to it.",
        json_schema_extra={"x-default": "no limit"},
    )
    control_rate: float | None = Field(
        None,
        ge=0.1,
        le=10_000,
        description="Most messages a second for one control; the last value always follows.",
        json_schema_extra={"x-default": "no limit"},
    )
    bundles: bool = Field(False, description="What changes together is sent as one bundle.")
    datagram_bytes: int = Field(
        1400, ge=LEAST_DATAGRAM, le=MOST_DATAGRAM, description="Longest bundle that is sent, in bytes."
    )
    time_tags: Literal["honour", "ignore"] = Field(
        "honour",
        description="A bundle for later (up to 1 s) waits for its time, or is applied at once.",
    )
    answers: bool = Field(
        True, description="An address without arguments is a question, and is answered with the value."
    )

    query: Literal["none", "address"] = Field(
        "none", description="How we ask it for a value: not at all, or by its address without arguments."
    )
    on_connect: Literal["pull", "push", "none"] = Field(
        "none",
        description="When it is there, or back: ask it for its values, send it ours, or nothing.",
        json_schema_extra={"x-default": '`"pull"` with `query`, else `"none"`'},
    )
    hello: Annotated[tuple[Call, ...], PlainValidator(read_calls), WithJsonSchema(_CALLS)] = Field(
        (),
        description='Messages that are sent first, whenever it is there, or back: `[["/eos/user", 1]]`.',
        json_schema_extra={"x-default": "none"},
    )
    keepalive: Annotated[tuple[Call, ...], PlainValidator(read_calls), WithJsonSchema(_CALLS)] = Field(
        (),
        description='What must be sent again and again, or it forgets us: `["/xremote"]`.',
        json_schema_extra={"x-default": "none"},
    )
    keepalive_s: float = Field(9.0, ge=0.1, le=3600, description="Seconds between two of them.")
    probe: Annotated[Call, PlainValidator(read_call), WithJsonSchema(_CALL)] | None = Field(
        None, description='A question that it always answers, to know whether it is there: `["/info"]`.'
    )
    probe_s: float = Field(5.0, ge=0.1, le=3600, description="Seconds between two of them.")
    timeout_s: float = Field(
        12.0, ge=0.2, le=3600, description="Seconds without any message after which it counts as silent."
    )

    echoes: Literal["yes", "no"] = Field(
        "yes",
        description="It may send back what it is sent: all of it, or what was new to it. "
        '`"no"`: whatever it reports is a move of its own, and a trigger from it never an echo of ours.',
    )
    echo_window_ms: float = Field(
        250.0, ge=10, le=5000, description="How late its echo of a value may be. Longer than its delay."
    )
    echo_tolerance: float | None = Field(
        None,
        ge=0,
        le=0.5,
        description="How far an echo may be from what was sent, as a part of the range. One whole step always may.",
        json_schema_extra={"x-default": "0.01"},
    )

    driver: Literal["abletonosc"] | None = Field(
        None,
        description="What makes controls and pages of what it has open; the profile says it.",
        json_schema_extra={"x-default": "none"},
    )
    tracks: Annotated[tuple[str, ...], PlainValidator(read_patterns), WithJsonSchema(_TEXTS)] = Field(
        (),
        description='With a driver: the tracks that are shown, `["Drums", "Bass*"]`; whatever their case.',
        json_schema_extra={"x-default": "all"},
    )
    show: Annotated[
        tuple[str, ...],
        PlainValidator(read_shown),
        WithJsonSchema({"type": "array", "items": {"enum": list(SHOWN)}}),
    ] = Field(
        SHOWN,
        description="With a driver: what is shown: `" + "`, `".join(SHOWN) + "`.",
        json_schema_extra={"x-default": "all of it"},
    )

    lane: Annotated[str, AfterValidator(read_name)] | None = Field(
        None,
        description="With a driver: the `[[midi]]` peer by which moves go to it as CCs, which it reads sooner.",
        json_schema_extra={"x-default": "none"},
    )
    lane_channel: int = Field(16, ge=1, le=16, description="The channel of these CCs.")
    lane_cc: Annotated[
        dict[str, int],
        PlainValidator(read_lane_ccs),
        WithJsonSchema({"type": "object", "additionalProperties": _CC}),
    ] = Field(
        {},
        description='The CCs that were mapped there by hand: `{ "Drums/volume" = 20 }`. '
        "Parameters of devices need none.",
        json_schema_extra={"x-default": "none"},
    )

    advice: str = Field(
        "",
        max_length=MAX_ADVICE,
        description="What to look at there while nothing is heard of it: `stagebridge doctor` says it.",
        json_schema_extra={"x-default": "the profile's"},
    )
    auto: bool = Field(False, description="A message to an unknown address makes a control of it.")
    auto_max: int = Field(256, ge=1, le=MAX_LEARNT, description="At most so many.")

    @check_together(mode="before")
    @classmethod
    def _infer(cls, raw: Any) -> Any:
        """What hangs on other keys is filled in, so that readers need not know how."""
        if not isinstance(raw, dict):
            return raw
        inferred: dict[str, Any] = {}
        if "on_connect" not in raw and raw.get("query") == "address":
            inferred["on_connect"] = "pull"
        if "listen" not in raw and raw.get("transport", "udp") == "udp" and _names_ipv6(raw):
            inferred["listen"] = "[::]:0"
        return {**raw, **inferred}

    @check_together(mode="after")
    def _check(self) -> Settings:
        for problem in _contradictions(self):
            raise ValueError(problem)
        return self

    @property
    def is_tcp(self) -> bool:
        return self.transport != "udp"

    @property
    def is_server(self) -> bool:
        """True if it may connect to us over TCP."""
        return self.is_tcp and "listen" in self.model_fields_set

    @property
    def targets(self) -> tuple[Endpoint, ...]:
        """Fixed send targets."""
        if self.host is not None and self.port is not None:
            return (Endpoint(self.host, self.port),)
        return () if self.send == "last" else tuple(parse_endpoint(text) for text in self.send)

    @property
    def networks(self) -> tuple[Network, ...]:
        """``from``, parsed; empty is everybody."""
        return tuple(ipaddress.ip_network(text, strict=False) for text in self.sources)

    @property
    def allowed(self) -> tuple[Network, ...]:
        """``allow``, parsed."""
        return tuple(ipaddress.ip_network(text, strict=False) for text in self.allow)


def _names_ipv6(raw: Mapping[str, Any]) -> bool:
    """True if a target is written as an IPv6 address: an IPv4 socket could not reach it."""
    send = raw.get("send")
    texts = [raw.get("host"), *(send if isinstance(send, (list, tuple)) else ())]
    return any(isinstance(text, str) and text.count(":") > 1 for text in texts)


LANE = (("lane", "driver"), ("lane_channel", "lane"), ("lane_cc", "lane"))


def _contradictions(one: Settings) -> Iterator[str]:
    """What cannot be together in one table."""
    if one.host is not None and one.send:
        yield "host stands beside send: write one of them"
    if one.host is not None and one.port is None:
        yield f"host needs a port, which the profile {one.profile} does not know: write port = …"
    if one.port is not None and one.host is None:
        yield "port needs host"
    if one.sources and "allow" in one.model_fields_set:
        yield "allow stands beside from, which lets in whom it names: write one of them"
    if one.on_connect == "pull" and one.query == "none":
        yield 'on_connect = "pull" needs to know how to ask: write query = "address"'
    needs = (("keepalive_s", "keepalive"), ("probe_s", "probe"), ("auto_max", "auto"))
    for key, of in (*needs, ("tracks", "driver"), ("show", "driver"), *LANE):
        if key in one.model_fields_set and not getattr(one, of):
            yield f"{key} does nothing without {of}"
    if one.probe is not None and one.timeout_s <= one.probe_s:
        yield f"timeout_s = {one.timeout_s:g} must be longer than probe_s = {one.probe_s:g}: it would always be silent"
    speaks_first = next((key for key in ("hello", "keepalive", "probe") if getattr(one, key)), None)
    if one.is_tcp:
        if one.send == "last":
            yield 'send = "last" is for UDP: over TCP, whoever is connected hears us'
        if one.reply_port is not None:
            yield "reply_port is for UDP: over TCP, answers go back by the connection"
        if one.sources and not one.is_server:
            yield "from says who may connect to us: it needs listen"
        if not one.targets and not one.is_server:
            yield "a TCP peer needs send or host (we connect to it), or listen (it connects to us)"
    elif speaks_first and not one.targets and one.send != "last":
        yield f"{speaks_first} needs somebody to send it to: write host or send"
    elif ":" not in parse_endpoint(one.listen).host:
        for target in one.targets:
            if ":" in target.host:
                yield f'send has the IPv6 address {target}: listen on "[::]:PORT" to reach it'


class Binding(Table):
    """How one control is reached on one OSC peer: ``[control.osc.NAME]``."""

    address: Annotated[str, AfterValidator(read_address)] | None = Field(
        None, description="Where the peer takes the value.", json_schema_extra={"x-default": "the control's path"}
    )
    reply: Annotated[str, AfterValidator(read_address)] | None = Field(
        None, description="Where the peer reports the value.", json_schema_extra={"x-default": "`address`"}
    )
    args: Annotated[
        Arguments | None,
        PlainValidator(read_args),
        WithJsonSchema({"type": "array", "items": {"type": ["number", "string", "object"]}, "maxItems": MAX_ARGS}),
    ] = Field(
        None,
        description='Fixed arguments; `"{value}"` is the value\'s place, else it is last. `"7"` is an int, '
        '`{s = "7"}` a text. What the peer reports must have them too.',
    )
    range: Annotated[tuple[float, float] | None, PlainValidator(read_range), WithJsonSchema(NUMBERS)] = Field(
        None,
        description="The peer's range, `[low, high]`; `[1, 0]` turns it round.",
        json_schema_extra={"x-default": "the control's"},
    )
    curve: BindingCurve | None = Field(
        None,
        description="How the peer's range runs along the widget's travel.",
        json_schema_extra={"x-default": "`table` with `table`, `linear` with `range`, else the control's"},
    )
    table: Annotated[
        tuple[tuple[float, float], ...] | None,
        PlainValidator(read_table),
        WithJsonSchema({"type": "array", "items": NUMBERS, "minItems": 2}),
    ] = Field(
        None,
        description="The peer's values along the widget's travel: points `[position 0…1, value]`, both rising, "
        "straight lines between.",
    )
    type: Literal["i", "f", "h", "d", "T"] | None = Field(
        None,
        description="Send numbers as whole numbers (`i`; `h`: 64 bits) or as floats (`f`; `d`: 64 bits), "
        "on and off as `T` and `F` (`T`).",
        json_schema_extra={"x-default": "what suits the control, by the peer's `types`"},
    )
    direction: Literal["in", "out", "both"] = Field(
        "both", description="`in`: we only hear it. `out`: we only send it."
    )
    component: int | None = Field(
        None, ge=0, description="Which component of a vector this is, from 0.", json_schema_extra={"x-default": "all"}
    )
    form: Literal["index", "text"] = Field("index", alias="as", description="How a choice is sent.")
    touch: Annotated[str, AfterValidator(read_address)] | None = Field(
        None,
        description="Where the peer says that a finger is on it (1) or gone (0), such as TouchOSC's `/fader1/z`; "
        "while it is, the peer is sent nothing for it, and then where it stands.",
        json_schema_extra={"x-default": "the peer's `touch`"},
    )
    live: Annotated[str, AfterValidator(read_thing)] | None = Field(
        None,
        description='With `profile = "abletonosc"`, in place of `address`, `reply` and `args`: what it is in Live, by '
        'name: `"Drums/volume"`, `"Drums/send/a"`, `"Bass/Auto Filter/Frequency"`; or `"#3/volume"`: '
        "of the third track, with its name and colour.",
    )
    label: Annotated[str, AfterValidator(read_look)] | None = Field(
        None, description="Where the peer says the control's name: it is shown on the page."
    )
    color: Annotated[str, AfterValidator(read_look)] | None = Field(
        None, description="Where the peer says the control's colour: one of its `colors` by number, or a colour."
    )

    @check_together(mode="after")
    def _check(self) -> Binding:
        if self.live is not None and (self.address, self.reply, self.args) != (None, None, None):
            raise ValueError("live says where it is: leave out address, reply and args")
        if self.table is not None and self.curve not in (None, "table"):
            raise ValueError('table is for curve = "table"')
        if self.table is None and self.curve == "table":
            raise ValueError('curve = "table" needs table = [[0, …], …, [1, …]]')
        if self.curve == "log" and self.range is not None and min(self.range) <= 0:
            raise ValueError("a log curve needs a range above 0")
        return self


def check_peers(settings: Sequence[Settings]) -> Iterator[tuple[int, str, str]]:
    """(index, key, message) of each mistake that needs several ``[[osc]]`` tables to be seen."""
    yield from _check_listens(settings, {index for index, one in enumerate(settings) if not one.is_tcp})
    yield from _check_listens(settings, {index for index, one in enumerate(settings) if one.is_tcp})


def _check_listens(settings: Sequence[Settings], among: Set[int]) -> Iterator[tuple[int, str, str]]:
    """UDP and TCP ports are not the same ones. A UDP port may be shared, with ``from``; a TCP port is one table's."""
    by_listen: dict[str, list[int]] = {}
    for index in sorted(among):
        if not settings[index].listen.endswith(":0"):
            by_listen.setdefault(settings[index].listen, []).append(index)
    everywhere = {
        endpoint.udp_port: listen
        for listen in by_listen
        if (endpoint := parse_endpoint(listen)).host in ("0.0.0.0", "::")
    }
    for listen, indices in by_listen.items():
        taken = everywhere.get(parse_endpoint(listen).udp_port, listen)
        if taken != listen:
            yield indices[0], "listen", f"has the port of {taken}, which is every network: write the same in both"
    for listen, indices in by_listen.items():
        if len(indices) == 1:
            continue
        for index in indices:
            one = settings[index]
            others = [settings[other] for other in indices if other != index]
            names = ", ".join(other.name for other in others)
            if one.is_tcp:
                yield index, "listen", f"is the TCP port of {names} too: each needs its own"
                continue
            if not one.sources:
                yield index, "from", f"is required: {names} listens on {listen} too"
                continue
            for network in one.networks:
                for other in others:
                    if any(network.version == each.version and network.overlaps(each) for each in other.networks):
                        yield index, "from", f"{network.network_address} is heard by {other.name} too"
