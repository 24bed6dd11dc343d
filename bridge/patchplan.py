"""For which peer ``stagebridge patch`` makes a patch, and what is in it: from the configuration, as the OSC port
reads it. What the patch looks like is in ``patch``. Blocks: asks the system for this machine's address.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import net
from .config.settings import Config
from .control import Control
from .errors import PatchError, UnknownPeer
from .osc.bind import MIRROR, Route, compile_route, is_mirrored
from .osc.codec import Message, decode
from .osc.fields import Endpoint, parse_endpoint
from .osc.forms import wire_range
from .osc.settings import Binding, Settings
from .osc.words import tags_of
from .pages import declared_controls, read_pages
from .patch import Part, Place, Plan, Shape
from .port import Peer
from .store import Entry

PROGRAMS = {"max": "Max", "pd": "Pd"}
_READ = frozenset("ifs")
"""Types that both programs read."""
_MEANT = frozenset('\\$;"')
"""Letters that no address in a patch can have."""
_SHAPES: Mapping[type, Shape] = {int: "whole", float: "number", str: "text"}
_LONGEST_NOTE = 40  # characters of a choice's names
_LOOPBACK = ("127.", "::1", "localhost")


def plan(config: Config, program: str, peer_name: str | None = None, host: str | None = None) -> Plan:
    """What a patch for this program has; ``host`` is where stagebridge runs, as the program reaches it.

    Raises PatchError where no peer of the configuration can be one, UnknownPeer for a name that nobody has.
    """
    peer = _peer(config, program, peer_name)
    settings: Settings = peer.settings
    its_port, target = _its_port(peer)
    ours = parse_endpoint(settings.listen)
    parts: list[Part] = []
    left_out: dict[str, str] = {}
    taken: dict[Any, str] = {}
    for control in _controls(config):
        for part in _parts(control, peer, left_out):
            key = part.heard and part.heard[:2]
            if key in taken:
                left_out[part.name] = f"the peer hears it as it does {taken[key]}"
                continue
            if key:
                taken[key] = part.name
            parts.append(part)
    return Plan(peer.name, its_port, host or _our_host(ours, target), ours.udp_port, parts, left_out)


def _peer(config: Config, program: str, name: str | None) -> Peer:
    """The peer that is this program: the one that is named, of its profile, of its name, or the only one."""
    peers = [peer for peer in config.peers if peer.table == "osc"]
    if name is not None:
        found = [peer for peer in peers if peer.name == name]
        if not found:
            raise UnknownPeer(f"no [[osc]] table has name {name}: there is {_names(peers)}")
        return _checked(found[0], program)
    for some in (
        [peer for peer in peers if peer.settings.profile == program],
        [peer for peer in peers if peer.name == program],
        [peer for peer in peers if peer.settings.profile == "generic" and peer.settings.mirror],
    ):
        if len(some) == 1:
            return _checked(some[0], program)
        if some:
            raise PatchError(f"which one is the patch for? --peer {' or --peer '.join(peer.name for peer in some)}")
    raise PatchError(
        f"no [[osc]] table is {PROGRAMS[program]}: write one, with the computer that it runs on:\n"
        f'[[osc]]\nname = "{program}"\nprofile = "{program}"\nhost = "127.0.0.1"\nport = 9001\n'
        'listen = "0.0.0.0:9000"'
    )


def _checked(peer: Peer, program: str) -> Peer:
    settings: Settings = peer.settings
    problem = None
    if settings.is_tcp:
        problem = "speaks over TCP: a patch has UDP"
    elif parse_endpoint(settings.listen).udp_port == 0:
        problem = 'listens on any free port: write listen = "0.0.0.0:9000"'
    elif program == "pd" and settings.bundles:
        problem = "is sent bundles, which the patch cannot take apart: write bundles = false"
    if problem:
        raise PatchError(f"{peer.name} {problem}")
    return peer


def _its_port(peer: Peer) -> tuple[int, Endpoint | None]:
    """Where the patch hears us, and its computer, as far as it is known."""
    settings: Settings = peer.settings
    if settings.targets:
        return settings.targets[0].udp_port, settings.targets[0]
    if settings.reply_port is None:
        raise PatchError(
            f'{peer.name} has no place where it hears us: write send = ["127.0.0.1:9001"], or host and port'
        )
    return settings.reply_port, None


def _our_host(ours: Endpoint, target: Endpoint | None) -> str:
    """An address of this machine that the program can send to."""
    if target is not None and target.host.startswith(_LOOPBACK):
        return target.host
    if ours.host not in ("0.0.0.0", "::"):
        return ours.host
    if target is not None and (near := net.address_towards(target.host)) is not None:
        return str(near)
    return next(map(str, net.lan_addresses()), "127.0.0.1")


def _controls(config: Config) -> Iterator[Control]:
    """Those of the configuration, and of people's own pages. Reads the disk."""
    seen = set()
    pages = read_pages(config.http.pages) if config.http.pages is not None else ()
    for control in [*config.controls, *(one for page, html in pages for one in declared_controls(html, page))]:
        if control.path not in seen:
            seen.add(control.path)
            yield control


def _parts(control: Control, peer: Peer, left_out: dict[str, str]) -> Iterator[Part]:
    """How the control is reached on the peer, binding by binding."""
    settings: Settings = peer.settings
    bindings: Sequence[Binding] = peer.bindings.get(control.path) or (
        (MIRROR,) if settings.mirror and control.path not in peer.excluded and is_mirrored(control) else ()
    )
    for number, binding in enumerate(bindings, 1):
        name = control.path if number == 1 else f"{control.path}.{number}"
        route = compile_route(Entry(0, control, control.default, 0), binding, settings)
        part, problem = _part(name, control, binding, route, settings)
        if part is None:
            left_out[name] = problem
        else:
            yield part


def _part(name: str, control: Control, binding: Binding, route: Route, settings: Settings) -> tuple[Part | None, str]:
    packet = route.packet(() if control.kind == "trigger" else _sample(control))
    message = decode(packet)
    assert isinstance(message, Message)
    wrong = sorted({tag for tag in tags_of(message.args) if tag not in _READ})
    numeric = [atom for atom in (*route.before, *route.after) if isinstance(atom, str) and _reads_as_number(atom)]
    if wrong:
        return None, f"it is sent with the type {', '.join(wrong)}: the patch reads i, f and s"
    if numeric:
        return None, f'a patch cannot say the text "{numeric[0]}": it reads a number'
    if meant := sorted(_MEANT.intersection(name + message.address + route.heard_at)):
        return None, f"Max and Pd have a meaning of their own for {' and '.join(meant)}"
    values = message.args[len(route.before) : len(message.args) - len(route.after) or None]
    shape = _shape(control, values)
    low, high = sorted(wire_range(control, binding))
    if shape == "menu":
        low, high = 0, len(control.choices) - 1
    elif control.kind in ("color", "bool", "trigger", "string"):
        low, high = 0, 1
    part = Part(
        name,
        _note(name, control, shape, low, high),
        shape,
        Place(message.address, route.before, route.after) if route.speaks else None,
        Place(settings.prefix + route.heard_at, route.before, route.after)
        if route.hears and (control.access != "read" or control.kind == "meter")
        else None,
        low,
        high,
        control.choices,
        control.kind == "choice" and binding.form == "text",
        len(values) if shape == "list" else 1,
    )
    return part, ""


def _sample(control: Control) -> Any:
    return control.low if control.default is None else control.default


def _shape(control: Control, values: Sequence[Any]) -> Shape:
    if control.kind == "trigger":
        return "bang"
    if control.kind == "bool":
        return "toggle"
    if control.kind == "choice" and not any("," in choice for choice in control.choices):
        return "menu"
    return "list" if len(values) != 1 else _SHAPES[type(values[0])]


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _note(name: str, control: Control, shape: Shape, low: float, high: float) -> str:
    """What stands above the box: its name, and what it takes."""
    if control.kind == "choice":
        listed = ", ".join(f"{number} {choice}" for number, choice in enumerate(control.choices))
        return f"{name} {listed if len(listed) <= _LONGEST_NOTE else listed[:_LONGEST_NOTE] + '…'}"
    if shape in ("number", "whole") and math.isfinite(high - low):
        return f"{name} {low:g}…{high:g} {control.unit}".rstrip()
    return name


def _names(peers: Sequence[Peer]) -> str:
    return ", ".join(peer.name for peer in peers) or "none"
