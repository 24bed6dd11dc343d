"""The tables ``[[osc]]`` and ``[control.osc.NAME]``: their keys, types, defaults and what they say. Pure.

What is checked here needs one table alone, or the ``[[osc]]`` tables together (``check_peers``).
Whether a binding suits its control is decided where it is compiled, in ``oscbind``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic import model_validator as check_together

from .law import Curve
from .oscpattern import is_pattern

MAX_TARGETS = 16
MAX_SOURCES = 64
MAX_ARGS = 16
SUPERCOLLIDER_PORT = 57120  # sclang's default

VALUE = "{value}"
"""Marks the value's place in ``args``."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_TEXTS = {"type": "array", "items": {"type": "string"}}


class Endpoint(NamedTuple):
    """A host (name or address, without brackets) and a UDP port."""

    host: str
    udp_port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.udp_port}" if ":" in self.host else f"{self.host}:{self.udp_port}"


def parse_endpoint(text: str) -> Endpoint:
    """``192.168.1.20:9001``, ``max.local:9001`` or ``[fe80::1]:9001``. Raises ValueError."""
    host, colon, number = text.rpartition(":")
    if not colon or not host:
        raise ValueError('must be "host:port"')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_address(host):
            raise ValueError(f"[{host}] is no IPv6 address")
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets: [::1]:9000")
    elif re.fullmatch(r"[0-9.]+", host):
        if not _is_address(host):
            raise ValueError(f"{host} is no IP address")
    elif not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host")
    if not number.isascii() or not number.isdecimal() or int(number) > 65535:
        raise ValueError("port must be 1–65535")
    return Endpoint(host, int(number))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _listen(text: str) -> str:
    endpoint = parse_endpoint(text)
    if not _is_address(endpoint.host) and endpoint.host != "localhost":
        raise ValueError('must be an address of this computer: "0.0.0.0:9000" is every network')
    return str(endpoint)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1–60 letters, digits, - or _: it stands in addresses and in [control.osc.NAME]")
    return text


def _send(raw: Any) -> Any:
    """``"last"``, or a list of ``host:port``, each once."""
    if raw == "last":
        return raw
    if isinstance(raw, str):
        raise ValueError(f'must be "last" or a list: ["{raw}"]')
    if not isinstance(raw, (list, tuple)) or not all(isinstance(each, str) for each in raw):
        raise ValueError('must be "last" or a list of "host:port"')
    if len(raw) > MAX_TARGETS:
        raise ValueError(f"must be at most {MAX_TARGETS} targets")
    targets = []
    for text in raw:
        try:
            endpoint = parse_endpoint(text)
        except ValueError as exc:
            raise ValueError(f'"{text}": {exc}') from None
        if endpoint.udp_port == 0:
            raise ValueError(f'"{text}": port must be 1–65535')
        if str(endpoint) in targets:
            raise ValueError(f'"{text}" stands there twice')
        targets.append(str(endpoint))
    return tuple(targets)


def _sources(raw: Any) -> Any:
    if isinstance(raw, str):
        raise ValueError(f'must be a list: ["{raw}"]')
    if not isinstance(raw, (list, tuple)) or not raw or len(raw) > MAX_SOURCES:
        raise ValueError(f"must be a list of 1–{MAX_SOURCES} addresses")
    for text in raw:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f'"{text}" is no address: write "192.168.1.20", or "192.168.1.0/24"') from None
    return tuple(raw)


def _profile(raw: Any) -> Any:
    if raw in ("abletonosc", "x32", "xair", "touchosc", "qlab", "reaper", "ardour", "eos"):
        raise ValueError("this profile is not built yet: generic, max, pd and supercollider are")
    return raw


def _address(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError('must start with "/"')
    if is_pattern(text) or re.search(r"[\s#,\]}\x00-\x1f]", text):
        raise ValueError("must be one address, without spaces and the signs # * , ? [ ] { } and //")
    if len(text.encode("utf-8", "replace")) > 255:
        raise ValueError("must be at most 255 bytes")
    if text.startswith("/stagebridge/"):
        raise ValueError("/stagebridge is reserved")
    return text


def _range(raw: Any) -> tuple[float, float]:
    if not isinstance(raw, (list, tuple)) or len(raw) != 2:
        raise ValueError("must be two numbers, [low, high]")
    for item in raw:
        if isinstance(item, bool) or not isinstance(item, (int, float)) or item - item != 0:
            raise ValueError("must be two numbers, [low, high]")
    if raw[0] == raw[1]:
        raise ValueError("both ends are the same")
    return raw[0], raw[1]


def _args(raw: Any) -> Any:
    """``{s = "7"}`` and the like become what they mean; ``"7"`` becomes 7."""
    if not isinstance(raw, (list, tuple)):
        raise ValueError('must be a list, such as ["{n0}", "{value}"]')
    if len(raw) > MAX_ARGS:
        raise ValueError(f"must be at most {MAX_ARGS} arguments")
    args = [_argument(item) for item in raw]
    if sum(item is _PLACE for item in args) > 1:
        raise ValueError(f'"{VALUE}" may stand there once')
    place = next((index for index, item in enumerate(args) if item is _PLACE), len(args))
    return Arguments(tuple(args[:place]), tuple(args[place + 1 :]), is_placed=place < len(args))


def _argument(item: Any) -> Any:
    if item == VALUE:
        return _PLACE
    if isinstance(item, str):
        # Placeholders make texts, and most fixed arguments are indices.
        return int(item) if re.fullmatch(r"-?[0-9]{1,10}", item) and abs(int(item)) < 2**31 else item
    if isinstance(item, dict) and item.keys() == {"s"} and isinstance(item["s"], str):
        return item["s"]
    if isinstance(item, (int, float)) and item - item == 0:
        return item
    raise ValueError('each must be a number, a text, {s = "7"} or "{value}"')


_PLACE = object()


class Arguments(NamedTuple):
    """Fixed arguments before and after the value. ``is_placed`` is False where ``{value}`` was left out."""

    before: tuple[int | float | str | bool, ...] = ()
    after: tuple[int | float | str | bool, ...] = ()
    is_placed: bool = False


class Table(BaseModel):
    """No unknown keys, no silent conversion, nothing changes afterwards."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


class Settings(Table):
    """One program or desk that speaks OSC over UDP: an ``[[osc]]`` table."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        description="What it is called in `[control.osc.NAME]` and on the page."
    )
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "0.0.0.0:0",
        description="Where we hear it, and send from. Without it any free UDP port is taken: "
        "enough for a peer that answers to where a message came from.",
        json_schema_extra={"x-default": "any free port"},
    )
    send: Annotated[
        Literal["last"] | tuple[str, ...],
        PlainValidator(_send),
        WithJsonSchema({"anyOf": [{"const": "last"}, {**_TEXTS, "maxItems": MAX_TARGETS}]}),
    ] = Field((), description='Where it hears us: `["host:port", …]`, or `"last"`: whoever spoke to us last.')
    sources: Annotated[tuple[str, ...], PlainValidator(_sources), WithJsonSchema({**_TEXTS, "minItems": 1})] = Field(
        (),
        alias="from",
        description="Addresses or networks that are heard; others are ignored. "
        "Needed where two tables have the same `listen`.",
        json_schema_extra={"x-default": "everybody"},
    )
    host: str | None = Field(
        None, description=f'For `profile = "supercollider"`: where sclang runs; sends to its port {SUPERCOLLIDER_PORT}.'
    )
    profile: Annotated[Literal["generic", "max", "pd", "supercollider"], BeforeValidator(_profile)] = Field(
        "generic", description="What kind of program it is."
    )
    mirror: bool = Field(
        True, description="Every control goes to it at its own path, unless it has a binding or is left out."
    )

    echoes: Literal["yes", "no"] = Field(
        "yes",
        description='It may send back what it is sent. `"no"`: whatever it reports is a move of its own, '
        "and a trigger from it never an echo of ours.",
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

    @check_together(mode="after")
    def _check(self) -> Settings:
        if self.host is not None:
            if self.profile != "supercollider":
                raise ValueError(f'host is for profile = "supercollider": write send = ["{self.host}:PORT"]')
            if self.send:
                raise ValueError("host stands beside send: write one of them")
            _send([f"{self.host}:{SUPERCOLLIDER_PORT}"])
        is_v6 = ":" in parse_endpoint(self.listen).host
        for target in self.targets:
            if target.host.count(":") > 1 and not is_v6:
                raise ValueError(f'send has the IPv6 address {target}: listen on "[::]:PORT" to reach it')
        return self

    @property
    def targets(self) -> tuple[Endpoint, ...]:
        """Fixed send targets."""
        if self.host is not None:
            return (Endpoint(self.host, SUPERCOLLIDER_PORT),)
        return () if self.send == "last" else tuple(parse_endpoint(text) for text in self.send)

    @property
    def networks(self) -> tuple[Network, ...]:
        """``from``, parsed; empty is everybody."""
        return tuple(ipaddress.ip_network(text, strict=False) for text in self.sources)


class Binding(Table):
    """How one control is reached on one OSC peer: ``[control.osc.NAME]``."""

    address: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="Where the peer takes the value.", json_schema_extra={"x-default": "the control's path"}
    )
    reply: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="Where the peer reports the value.", json_schema_extra={"x-default": "`address`"}
    )
    args: Annotated[
        Arguments | None,
        PlainValidator(_args),
        WithJsonSchema({"type": "array", "items": {"type": ["number", "string", "object"]}, "maxItems": MAX_ARGS}),
    ] = Field(
        None,
        description='Fixed arguments; `"{value}"` is the value\'s place, else it is last. `"7"` is an int, '
        '`{s = "7"}` a text. What the peer reports must have them too.',
    )
    range: Annotated[tuple[float, float] | None, PlainValidator(_range), WithJsonSchema(_NUMBERS)] = Field(
        None,
        description="The peer's range, `[low, high]`; `[1, 0]` turns it round.",
        json_schema_extra={"x-default": "the control's"},
    )
    curve: Curve | None = Field(
        None,
        description="How the peer's range runs along the widget's travel.",
        json_schema_extra={"x-default": "`linear` with `range`, else the control's"},
    )
    type: Literal["i", "f"] | None = Field(
        None,
        description="Send numbers as whole numbers (`i`) or as floats (`f`).",
        json_schema_extra={"x-default": "what suits the control"},
    )
    direction: Literal["in", "out", "both"] = Field(
        "both", description="`in`: we only hear it. `out`: we only send it."
    )
    component: int | None = Field(
        None, ge=0, description="Which component of a vector this is, from 0.", json_schema_extra={"x-default": "all"}
    )
    form: Literal["index", "text"] = Field("index", alias="as", description="How a choice is sent.")
    touch: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="Where the peer says that a finger is on it (1) or gone (0), such as TouchOSC's `/fader1/z`; "
        "while it is, the peer is sent nothing for it, and then where it stands.",
    )

    @check_together(mode="after")
    def _check(self) -> Binding:
        if self.curve == "log" and self.range is not None and min(self.range) <= 0:
            raise ValueError("a log curve needs a range above 0")
        return self


def check_peers(settings: Sequence[Settings]) -> Iterator[tuple[int, str, str]]:
    """(index, key, message) of each mistake that needs several ``[[osc]]`` tables to be seen."""
    by_listen: dict[str, list[int]] = {}
    for index, one in enumerate(settings):
        if not one.listen.endswith(":0"):
            by_listen.setdefault(one.listen, []).append(index)
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
            if not one.sources:
                yield index, "from", f"is required: {names} listens on {listen} too"
                continue
            for network in one.networks:
                for other in others:
                    if any(network.version == each.version and network.overlaps(each) for each in other.networks):
                        yield index, "from", f"{network.network_address} is heard by {other.name} too"
