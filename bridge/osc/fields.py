"""The values of single keys in ``[[osc]]`` and ``[control.osc.NAME]``: text → what it means, or ValueError. Pure.

Tables of these keys, and what their keys mean together, are in ``settings``.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from bridge.config.base import check_name

from .pattern import is_pattern

MAX_TARGETS = 16
PRIVATE = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1", "fe80::/10", "fc00::/7",
)  # fmt: skip
"""Networks that are no part of the internet: RFC 1918, RFC 3927, RFC 4193, RFC 4291, loopback."""
MAX_SOURCES = 64
MAX_ARGS = 16
MAX_CALLS = 64
MAX_COLORS = 256

VALUE = "{value}"
"""Marks the value's place in ``args``."""
PATH = "{path}"
"""Marks the control's path in a peer's ``touch``."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")
_COLOR = re.compile(r"(#[0-9A-Fa-f]{6})?")


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


def read_host(text: str) -> str:
    """A host name or an address, without port and brackets."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        if not _is_address(text):
            raise ValueError("must be an address or a host name, without port")
    elif not _HOST.fullmatch(text):
        raise ValueError("must be an address or a host name, without port")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def read_listen(text: str) -> str:
    """An address of this computer and a port; 0 is any free one."""
    endpoint = parse_endpoint(text)
    if not _is_address(endpoint.host) and endpoint.host != "localhost":
        raise ValueError('must be an address of this computer: "0.0.0.0:9000" is every network')
    return str(endpoint)


def read_name(text: str) -> str:
    """A peer's name, as addresses and headers can have it."""
    return check_name(text, "it stands in addresses and in [control.osc.NAME]")


def read_send(raw: Any) -> Any:
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


def read_sources(raw: Any) -> Any:
    """Addresses and networks."""
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


def read_address(text: str) -> str:
    """One OSC address, no pattern, and none of the bridge's own."""
    if not text.startswith("/"):
        raise ValueError('must start with "/"')
    if is_pattern(text) or re.search(r"[\s#,\]}\x00-\x1f]", text):
        raise ValueError("must be one address, without spaces and the signs # * , ? [ ] { } and //")
    if len(text.encode("utf-8", "replace")) > 255:
        raise ValueError("must be at most 255 bytes")
    if text.startswith("/stagebridge/"):
        raise ValueError("/stagebridge is reserved")
    return text


def read_range(raw: Any) -> tuple[float, float]:
    """Two different numbers, in either order."""
    if not _is_pair(raw):
        raise ValueError("must be two numbers, [low, high]")
    if raw[0] == raw[1]:
        raise ValueError("both ends are the same")
    return raw[0], raw[1]


def read_table(raw: Any) -> tuple[tuple[float, float], ...]:
    """Points [position 0…1, value], both rising."""
    if not isinstance(raw, (list, tuple)) or not all(_is_pair(point) for point in raw):
        raise ValueError("must be points, [[position, value], …]")
    points = tuple((point[0], point[1]) for point in raw)
    if len(points) < 2 or points[0][0] != 0 or points[-1][0] != 1:
        raise ValueError("needs two points or more, from position 0 to position 1")
    if any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(points)):
        raise ValueError("positions and values must both rise from point to point; range = [high, low] turns it round")
    return points


def _is_pair(raw: Any) -> bool:
    return (
        isinstance(raw, (list, tuple))
        and len(raw) == 2
        and all(isinstance(item, (int, float)) and not isinstance(item, bool) and item - item == 0 for item in raw)
    )


def read_args(raw: Any) -> Any:
    """``{s = "7"}`` and the like become what they mean; ``"7"`` becomes 7."""
    if isinstance(raw, Arguments):
        return raw
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


class Call(NamedTuple):
    """A message as it is written in the configuration: ``["/eos/user", 1]``."""

    address: str
    args: tuple[int | float | str | bool, ...] = ()


def read_call(raw: Any) -> Any:
    """An address and its arguments, of the types that TOML has."""
    if not isinstance(raw, (list, tuple)) or not raw or not isinstance(raw[0], str):
        raise ValueError('must be a message: ["/address", argument, …]')
    if len(raw) > 1 + MAX_ARGS:
        raise ValueError(f"must have at most {MAX_ARGS} arguments")
    for item in raw[1:]:
        if not isinstance(item, (str, int, float)) or (not isinstance(item, str) and item - item != 0):
            raise ValueError("arguments must be numbers, texts, true or false")
    try:
        return Call(read_address(raw[0]), tuple(raw[1:]))
    except ValueError as exc:
        raise ValueError(f'"{raw[0]}": {exc}') from None


def read_calls(raw: Any) -> Any:
    """Several messages; one alone may stand without the outer brackets."""
    if isinstance(raw, (list, tuple)) and raw and isinstance(raw[0], str):
        return (read_call(raw),)
    if not isinstance(raw, (list, tuple)):
        raise ValueError('must be messages: [["/address", argument, …], …]')
    if len(raw) > MAX_CALLS:
        raise ValueError(f"must be at most {MAX_CALLS} messages")
    return tuple(map(read_call, raw))


def read_prefix(text: str) -> str:
    """What stands before addresses: "/gma3"; "" is nothing."""
    if text == "":
        return text
    if text.endswith("/"):
        raise ValueError('must not end with "/"')
    return read_address(text)


SHOWN = ("volume", "pan", "mute", "solo", "arm", "sends", "meters", "song", "device", "clips")
"""What a driver can show."""
MAX_PATTERNS = 256


def read_patterns(raw: Any) -> tuple[str, ...]:
    """Names of tracks, with ``*`` and ``?``."""
    if not isinstance(raw, (list, tuple)) or not all(isinstance(item, str) and item for item in raw):
        raise ValueError('must be a list of names, such as ["Drums", "Bass*"]')
    if not 1 <= len(raw) <= MAX_PATTERNS:
        raise ValueError(f"must be 1 to {MAX_PATTERNS} names")
    return tuple(raw)


def read_shown(raw: Any) -> tuple[str, ...]:
    """Some of SHOWN."""
    if not isinstance(raw, (list, tuple)) or any(item not in SHOWN for item in raw):
        raise ValueError(f"must be a list of {', '.join(SHOWN)}")
    return tuple(raw)


TOP_CC = 119
"""The highest that is no channel mode message (MIDI 1.0)."""


def read_lane_ccs(raw: Any) -> dict[str, int]:
    """What something is in Live → the CC that moves it; each moves one thing."""
    if not isinstance(raw, dict):
        raise ValueError('must be a table of CCs, such as { "Drums/volume" = 20 }')
    for name, cc in raw.items():
        read_thing(name)
        if not isinstance(cc, int) or isinstance(cc, bool) or not 0 <= cc <= TOP_CC:
            raise ValueError(f"{name} must be a CC, 0–{TOP_CC}")
    if len(set(raw.values())) < len(raw):
        raise ValueError("a CC stands twice: each moves one thing")
    return dict(raw)


def read_thing(text: str) -> str:
    """What something is in Live: its track, and what of it."""
    track, _, of_it = text.partition("/")
    if not track or not of_it:
        raise ValueError('must be a track and what of it, such as "Drums/volume"')
    return text


def read_look(text: str) -> str:
    """Where a peer says what a control is called, or its colour."""
    if not text.startswith("/"):
        raise ValueError("must be an address of the peer; the control's own stands above, beside its path")
    return read_address(text)


def read_touch(text: str) -> str:
    """A template with the control's path in it."""
    if text.count(PATH) != 1:
        raise ValueError(f'must have the control\'s path in it once: "{PATH}/z"')
    read_address(text.replace(PATH, "/path"))
    return text


def read_colors(raw: Any) -> Any:
    """Colours by their number, from 0; "" is none, as if the peer had not said any."""
    if not isinstance(raw, (list, tuple)) or not all(isinstance(item, str) and _COLOR.fullmatch(item) for item in raw):
        raise ValueError('must be a list of colours: "#rrggbb", or "" for none')
    if len(raw) > MAX_COLORS:
        raise ValueError(f"must be at most {MAX_COLORS} colours")
    return tuple(item.lower() for item in raw)
