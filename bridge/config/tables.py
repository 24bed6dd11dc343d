"""The tables of ``config.toml`` that are the bridge's own: their keys, types, defaults and what they say.

The descriptions here become the JSON Schema that editors show and the tables of docs/config.md.
What depends on more than one key is checked in ``reading`` and ``loading``. Ports bring their own tables.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from bridge.access import Mode, Role
from bridge.control import (
    DEFAULT_HOLD_TIMEOUT_S,
    MAX_CHOICES,
    MAX_TEXT,
    MAX_VECTOR,
    Access,
    Hold,
    Kind,
    OnStart,
    Widget,
)
from bridge.http.limits import HttpLimits
from bridge.law import Curve
from bridge.surface import Layout, Size

from .base import NUMBERS, WHOLE_NUMBERS, Table, check_name
from .expand import MAX_CONTROLS

MAX_SPAN = 12  # grid cells
MAX_COLUMNS = 24
MAX_STRIPS = 512
MAX_SIZE = 64
MAX_NAME = 60  # characters of a page's or a group's name

_LIMITS = HttpLimits()
_HOST = re.compile(r"[A-Za-z0-9._-]+")


def _number(raw: Any) -> float:
    """An int stays one: it is written so on the wire."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise ValueError("must be a number")
    return raw


def _interval(raw: Any) -> tuple[float, float]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise ValueError("must be two numbers, [low, high]")
    for item in raw:
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            raise ValueError("must be two numbers, [low, high]")
    return raw[0], raw[1]


def _points(raw: Any) -> tuple[tuple[float, float], ...]:
    try:
        return tuple(_interval(point) for point in raw)
    except (ValueError, TypeError):
        raise ValueError("must be points, [[position, dB], …]") from None


def _span(raw: Any) -> tuple[int, int]:
    if (
        not isinstance(raw, list)
        or len(raw) != 2
        or not all(type(side) is int and 1 <= side <= MAX_SPAN for side in raw)
    ):
        raise ValueError(f"must be [columns, rows], each 1–{MAX_SPAN}")
    return raw[0], raw[1]


def _size(raw: Any) -> Any:
    if isinstance(raw, int):
        raise ValueError('must be "s", "m" or "l"; how many numbers a vector has is said by components')
    return raw


def _value(raw: Any) -> Any:
    if isinstance(raw, list):
        return tuple(raw)
    if not isinstance(raw, (bool, int, float, str)):
        raise ValueError("must be a value that the control can have")
    return raw


def _host(raw: str) -> str:
    try:
        if not _HOST.fullmatch(raw):
            ipaddress.IPv6Address(raw)
    except ValueError:
        raise ValueError("must be an address or a host name, without port") from None
    return raw


def _network(raw: str) -> str:
    try:
        ipaddress.ip_network(raw, strict=False)
    except ValueError:
        raise ValueError('must be a network or an address, such as "10.0.0.0/8"') from None
    return raw


def _name(raw: str) -> str:
    if not raw.strip() or len(raw) > MAX_NAME or not raw.isprintable():
        raise ValueError(f"must be 1–{MAX_NAME} characters")
    return raw


def _bank_name(raw: str) -> str:
    return check_name(raw, "it stands in addresses")


def _state_file(raw: str) -> str:
    if not raw.isprintable() or raw.endswith("/"):
        raise ValueError("cannot be used as a file")
    if raw.endswith(".toml"):
        raise ValueError("is a database, not TOML: call it state.db")
    return raw


Number = Annotated[float, PlainValidator(_number), WithJsonSchema({"type": "number"})]
Interval = Annotated[tuple[float, float], PlainValidator(_interval), WithJsonSchema(NUMBERS)]
Points = Annotated[
    tuple[tuple[float, float], ...],
    PlainValidator(_points),
    WithJsonSchema({"type": "array", "items": NUMBERS, "minItems": 2}),
]
Span = Annotated[
    tuple[int, int],
    PlainValidator(_span),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": MAX_SPAN},
            "minItems": 2,
            "maxItems": 2,
        }
    ),
]
AnyValue = Annotated[
    Any,
    PlainValidator(_value),
    WithJsonSchema({"type": ["boolean", "number", "string", "array"], "items": {"type": "number"}}),
]
Host = Annotated[str, AfterValidator(_host)]
Name = Annotated[str, AfterValidator(_name)]
Network = Annotated[str, AfterValidator(_network)]
TextList = Annotated[tuple[str, ...], Field(strict=False)]
NameList = Annotated[tuple[Name, ...], Field(strict=False)]
Color = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$"})
]


def setting(default: Any, description: str, shown: str | None = None, **constraints: Any) -> Any:
    """A key with its default and its description; ``shown`` says what an inferred default is."""
    extra: dict[str, Any] | None = {"x-default": shown} if shown else None
    return Field(default, description=description, json_schema_extra=extra, **constraints)


class LimitsTable(Table):
    """How much of the HTTP port one address, and all of them, may have."""

    connections: int = setting(
        _LIMITS.connections,
        "TCP connections at a time, in all. When it is full, who has waited longest without a WebSocket gives way.",
        ge=16,
        le=100_000,
    )
    connections_per_address: int = setting(
        _LIMITS.connections_per_address, "TCP connections of one address at a time.", ge=1, le=100_000
    )
    requests_per_s: float = setting(
        _LIMITS.requests_per_s,
        "Requests and new connections of one address; ten seconds' worth may come at once.",
        ge=1,
        le=100_000,
    )
    request_s: float = setting(
        _LIMITS.request_s, "Seconds that a connection may take to say a whole request.", ge=0.1, le=3600
    )
    messages_per_s: int = setting(
        _LIMITS.messages_per_s,
        "Messages read of one WebSocket; what is more waits in its sender, and nothing is left out.",
        ge=100,
        le=1_000_000,
    )
    exempt: Annotated[tuple[Network, ...], Field(strict=False)] = setting(
        (),
        "Networks and addresses without limits of their own, such as a venue that is behind one address: "
        '`["10.0.0.0/8"]`.',
    )


class TlsTable(Table):
    """HTTPS beside HTTP."""

    port: int = setting(8443, "TCP port to listen on, at the host of `[http]`; 0 takes any free one.", ge=0, le=65535)
    certificate: str | None = setting(
        None,
        "File with the certificate, and those it hangs on, in PEM; relative to this file.",
        shown="what `stagebridge cert` has made",
    )
    key: str | None = setting(None, "File with its private key, in PEM.", shown="in the same file")


class HttpTable(Table):
    """Where browsers find the bridge."""

    host: Host = setting(
        "0.0.0.0", 'Address to listen on. `"0.0.0.0"` is every network, `"127.0.0.1"` this computer alone.'
    )
    port: int = setting(8080, "TCP port to listen on; 0 takes any free one.", ge=0, le=65535)
    pages: str | None = setting(
        None,
        "Folder of your own pages, served under `/pages/`; relative to this file.",
        shown="the examples that come with stagebridge",
    )
    trust_pages: bool = setting(
        False,
        "Serve your own pages without their sandbox: they may do all that the device may that has them open, as ours "
        "may. Leave it off unless you have written every line of them.",
    )
    hosts: Annotated[tuple[Host, ...], Field(strict=False)] = setting(
        (), "More names by which browsers may call this computer, for instance a name in your router's DNS."
    )
    proxies: Annotated[tuple[Network, ...], Field(strict=False)] = setting(
        (),
        'Proxies whose `X-Forwarded-For` says whose a request is: `["127.0.0.1"]` for one on this computer. '
        "Nobody else's is believed.",
    )
    announce: bool = setting(
        True,
        "Say on the network where the page and the OSC ports are (zeroconf, Bonjour), and answer to `<host>.local`. "
        "What only this computer reaches is not announced.",
    )
    title: Name = setting("stagebridge", "What the browser's tab and the home screen say.")
    client_timeout_s: float = setting(
        10.0, "Seconds after which a browser whose socket takes nothing any more is dropped.", ge=1, le=3600
    )
    tls: TlsTable | None = setting(None, "HTTPS beside HTTP: the same pages; see below.", shown="none")
    limits: LimitsTable = setting(
        LimitsTable(), "What one address, and all of them, may have of it; see below.", shown="see below"
    )


class AuthTable(Table):
    """Who may use it."""

    mode: Mode = setting(
        "token",
        "`token`: who was let in by a code. `open`: whoever reaches the HTTP port may see and move everything, and let "
        "the others do so.",
    )


class StateTable(Table):
    """What outlives a run."""

    file: Annotated[str, AfterValidator(_state_file)] = setting(
        "state.db",
        "File with every control's last value; relative to `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/stagebridge`, "
        'else `~/.local/state/stagebridge`. `""` keeps nothing.',
    )


class AccessTable(Table):
    """What the devices may see and do that are let in by it; it holds no secret."""

    name: Name = Field(description="What it is called where a device is let in: `stagebridge qr --access NAME`.")
    role: Role = setting("control", "`view`: only watches. `control`: moves. `admin`: everything.")
    pages: NameList | None = setting(
        None,
        "The pages that it shows; nothing else exists for these devices. `x.html` is one of your own pages.",
        shown="everything",
    )


class PageTable(Table):
    """One page (tab) of the surface. Pages stand in the order of the file."""

    name: Name = Field(description="What the tab says; controls name it in `page` or `pages`.")
    layout: Layout = setting(
        "grid",
        "`strips`: each group is a channel strip, side by side. `grid`: widgets flow in cells. `rows`: one row each. "
        "`pads`: each group is a column of pads, buttons and toggles; of anything else its value is shown.",
    )
    columns: int | None = setting(None, "Columns of a grid.", shown="as many as fit the screen", ge=1, le=MAX_COLUMNS)


class BankTable(Table):
    """A window of a few strips of hardware over many controls: ``/bank/NAME`` says which. Below it stand the strips'
    bindings, ``[[bank.midi.PEER]]``, and those of its buttons, ``[bank.next.midi.PEER]``."""

    name: Annotated[str, AfterValidator(_bank_name)] = Field(
        description="Its control is `/bank/NAME`: which window, from 1; `/bank/NAME/next` and `/previous` turn it."
    )
    strips: int = Field(description="How many there are; `{n}` and `{n0}` count them.", ge=1, le=MAX_STRIPS)
    size: int = setting(
        8, "How many of them the hardware has at once; `{s}` and `{s0}` count its strips.", ge=1, le=MAX_SIZE
    )
    next: dict[str, Any] = setting(
        {},
        "How the button is reached that turns to the next window: `[bank.next.midi.PEER]`, as for a control.",
        shown="none",
    )
    previous: dict[str, Any] = setting({}, "The same for the window before.", shown="none")


class StripKeys(Table):
    """Keys of ``[[bank.midi.PEER]]`` beside those of a binding."""

    path: str = Field(description="The control of each strip, with `{n}`: `/mixer/{n}/volume`.")
    slots: Annotated[tuple[int, int], Field(strict=False), WithJsonSchema(WHOLE_NUMBERS)] | None = setting(
        None,
        "Which of the window's strips this peer has, `[first, last]`; `{s}` counts from 1 in them. For a controller "
        "and its extender.",
        shown="all",
    )


class ControlTable(Table):
    """One control, or many with `repeat` or `each`. `path` alone makes a float from 0 to 1 with a fader."""

    path: str = Field(
        description="Its name everywhere, and its OSC address: starts with `/`, without space and `# * , ? [ ] { }`."
    )
    kind: Kind = setting("float", "What its value is.", shown='`"choice"` with `choices`, else `"float"`')
    range: Interval | None = setting(
        None,
        "`[low, high]` in the control's unit; for each component of a vector.",
        shown='`[0, 1]`; int `[0, 127]`; meter `[-60, 0]`; with `curve = "db"` that of its table',
    )
    limit: Interval | None = setting(
        None, "The part of the range that may be reached, whoever asks.", shown="the range"
    )
    step: Number | None = setting(
        None, "Values are multiples of it, counted from the range's low; in the control's unit.", shown="none; int 1"
    )
    curve: Curve = setting(
        "linear",
        "How the value runs along the widget: `linear`; `log` for frequencies and times; `db` by `table`.",
    )
    table: Points | None = setting(
        None,
        "For `db`: points `[position 0…1, dB]`, both rising, from position 0 to 1.",
        shown="a mixing desk's fader, −90…+10 dB",
    )
    unit: str = setting("", "Shown after the value, such as `dB` or `Hz`.", max_length=16)
    decimals: int | None = setting(None, "Decimals shown.", shown="from step and range", ge=0, le=9)
    default: AnyValue = setting(
        None,
        'Value at start: a number, `true`/`false`, a choice\'s text, text, `"#rrggbb"`, or a list for a vector.',
        shown='the range\'s low (0 if bipolar), `false`, the first choice, `""`, black',
    )
    label: str | None = setting(
        None, "Its name on the page.", shown="the last part of the path", min_length=1, max_length=MAX_NAME
    )
    color: Color | None = setting(None, 'Its colour on the page, `"#rrggbb"`.', shown="the theme's")
    choices: TextList = setting((), f"The texts of a choice, 1–{MAX_CHOICES}; makes the control a choice.")
    components: int | None = setting(None, "How many numbers a vector has.", shown="2", ge=1, le=MAX_VECTOR)
    max_length: int = setting(MAX_TEXT, "Longest text of a string, in characters.", ge=1)
    access: Access | None = setting(
        None,
        "`read`: pages only show it. `write`: pages move it, and what peers report of it is ignored. `both`.",
        shown="`both`; meter `read`",
    )
    widget: Widget | None = setting(None, "How pages draw it.", shown="by kind, see below")
    momentary: bool = setting(False, "It goes to `rest` when the last finger leaves it (bool, int, float).")
    rest: AnyValue = setting(None, "Where a momentary rests.", shown="`false`, the range's low")
    guard: bool = setting(False, "A toggle or button that wants to be held for half a second.")
    bipolar: bool | None = setting(None, "Drawn from the middle, which catches.", shown="true if low is −high")
    reset: bool | None = setting(None, "A double tap sets the default.", shown="true for bipolar knobs")
    relative: bool = setting(True, "A finger moves the value from where it is; false: it jumps to the finger.")
    hold: Hold = setting(
        "last", "Who wins when two hold it: the `last` who moved, or the `first` who touched (others are refused)."
    )
    hold_timeout: Number = setting(
        DEFAULT_HOLD_TIMEOUT_S, "Seconds without motion after which a hold ends that cannot be seen to end."
    )
    on_start: OnStart = setting(
        "restore", "Its value at start: the one that it had last (`[state]`), or its `default`. A momentary rests."
    )
    page: Name | None = setting(None, "The page it stands on.", shown="the first page")
    pages: NameList | None = setting(None, "The pages it stands on; `[]` for none.", shown="the first page")
    group: Name | None = setting(None, "Controls of one group stand together; in `strips` a group is a strip.")
    order: Number = setting(0, "Lower ones come first; equal ones as in the file.")
    span: Span | None = setting(None, "Cells of a grid that it fills, `[columns, rows]`.", shown="by widget and size")
    size: Annotated[Size, BeforeValidator(_size)] = setting("m", "How big it is drawn: `s`, `m` or `l`.")
    repeat: int | None = setting(
        None, "Makes this many of it: `{n}` in its texts is 1, 2, …; `{n0}` is 0, 1, ….", ge=1, le=MAX_CONTROLS
    )
    each: dict[str, Any] | None = setting(
        None, 'Makes one for each: `{ ch = [1, 16] }`, `{ who = ["Anna", "Ben"] }`, lists of tables, and products.'
    )
