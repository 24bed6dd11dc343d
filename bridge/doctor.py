"""``stagebridge doctor``: what may stop a tablet or a patch, and what to do about it. Pure.

Here: facts → findings. Where the facts come from: ``doctorfacts``; what a firewall's rules mean: ``firewall``.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .firewall import Closed, Opening
from .net import DEFAULT_PORT

LATE_S = 30.0
"""So long after the start nobody is missed yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that may be in the way: a word for it, what it is, what to do."""

    code: str
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """A peer of the configuration. ``advice`` is its profile's own, ``host`` where it runs, if that is known."""

    name: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class MidiFacts:
    """What MIDI needs, where the configuration has any: python-rtmidi, and a way to ALSA's sequencer or to JACK."""

    is_installed: bool = True
    has_sequencer: bool = True
    may_use_sequencer: bool = True
    has_jack: bool = False
    may_be_realtime: bool = True
    user: str = ""


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A unit of ours. ``lingers`` is True for one of the machine."""

    unit: str
    is_enabled: bool
    lingers: bool
    is_system: bool
    user: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was looked at. What could not be is in ``unseen``. ``command``: how ours is typed here."""

    file: str = ""
    mistakes: tuple[str, ...] = ()
    http: Opening = field(default_factory=lambda: Opening("tcp", 8080, "the page"))
    is_loopback: bool = False
    health: Mapping[str, Any] | None = None
    """What the running daemon says of itself; None: none runs."""
    stranger: str = ""
    """Why what answers there is none, or does not answer us."""
    addresses: tuple[str, ...] = ()
    """Addresses under which others reach this machine."""
    firewall: str = ""
    closed: tuple[Closed, ...] = ()
    holders: Mapping[Opening, str] = field(default_factory=dict)
    """Who has ports that are ours to open, where none of us runs."""
    peers: tuple[PeerFacts, ...] = ()
    is_heard: bool | None = None
    """Whether this machine's name in ``.local`` is answered over multicast; None: nobody asked."""
    midi: MidiFacts | None = None
    state: str = ""
    """Why nothing can be kept in the state folder."""
    service: ServiceFacts | None = None
    unseen: tuple[str, ...] = ()
    command: str = "stagebridge"


def findings(facts: Facts) -> list[Finding]:
    """What may be in the way; what stops most comes first."""
    return [
        *_configuration(facts), *_ports(facts), *_network(facts), *_visitors(facts), *_peers(facts), *_midi(facts),
        *_machine(facts),
    ]  # fmt: skip


def _configuration(facts: Facts) -> Iterator[Finding]:
    for mistake in facts.mistakes:
        yield Finding("configuration", mistake, f"mend it; {facts.command} check {facts.file} says when all is well")
    trouble = _at(facts.health, "config").get("trouble")
    if trouble and not facts.mistakes:
        do = f"mend the file; then {facts.command} reload{_port(facts)}"
        yield Finding("configuration", f"the configuration has mistakes: {trouble}", do)


def _ports(facts: Facts) -> Iterator[Finding]:
    if facts.stranger:
        what = f"{facts.http} is taken by {facts.holders.get(facts.http) or 'another program'}: {facts.stranger}"
        yield Finding("busy", what, "end it, or take another port: [http] port = …, or --port")
    for opening, holder in facts.holders.items():
        if facts.stranger and opening == facts.http:
            continue
        yield Finding("busy", f"{opening} is taken by {holder}", f"end {holder}, or choose another port here")
    for peer in _peer_health(facts):
        if "is taken" in peer["text"]:
            do = "end that program, or choose another `listen` here and another port to send to there"
            yield Finding("busy", f"{peer['name']}: {peer['text']}", do)


def _network(facts: Facts) -> Iterator[Finding]:
    if facts.is_loopback:
        do = '[http] host = "0.0.0.0", and restart'
        yield Finding("loopback", "the page listens on this machine alone: no other device reaches it", do)
    elif not facts.addresses:
        do = "plug in the cable, or join the Wi-Fi that the tablet is in; the address is picked up within seconds"
        yield Finding("network", "this machine has no address that another one reaches", do)
    lines = "\n".join(one.line for one in facts.closed)
    if lines:
        shut = ", ".join(str(one.opening) for one in facts.closed)
        yield Finding("firewall", f"{facts.firewall} keeps others from {shut}", lines)
    network = _at(facts.health, "network")
    blocked = network.get("trouble") or ("" if facts.is_heard in (True, None) else "nobody answers to its name")
    if blocked:
        do = "let UDP 5353 pass in the firewall, and multicast in the access point; addresses with numbers work without"
        yield Finding("name", f"found by name: {blocked}", do)


def _visitors(facts: Facts) -> Iterator[Finding]:
    """Nobody has come from another machine, though nothing here keeps them out."""
    health = facts.health
    if health is None or facts.is_loopback or not facts.addresses or facts.closed:
        return
    age_s = float(health.get("uptime_s", 0))
    if _at(health, "network").get("visitors") or age_s < LATE_S:
        return
    hosts = [f"[{address}]" if ":" in address else address for address in facts.addresses]
    where = " or ".join(f"http://{host}:{facts.http.port}/" for host in hosts)
    do = (
        f"open {where} there. If nothing comes: is it in this machine's network, with mobile data off? A guest Wi-Fi "
        'keeps devices apart: use the main one, or turn "AP isolation" (client isolation) off in the router'
    )
    if len(facts.addresses) > 1:
        do += ". This machine is in several networks: take the address of the one that the tablet is in"
    yield Finding("visitor", f"no other device has opened the page in the {_span(age_s)} since the start", do)


def _peers(facts: Facts) -> Iterator[Finding]:
    advice = {peer.name: peer.advice for peer in facts.peers}
    for peer in _peer_health(facts):
        text = str(peer["text"])
        if peer.get("port") == "osc" and peer.get("heard_s_ago", 0) is None and "is taken" not in text:
            do = advice.get(str(peer["name"])) or (
                "is it started, does it send to this machine's address and to the port that we listen on, and do its "
                f"firewall and ours let that pass? {facts.command} monitor{_port(facts)} shows what comes in"
            )
            yield Finding("peer", f"{peer['name']}: {text}", do)
        elif peer.get("port") == "midi" and peer["state"] != "online":
            lacks = "no MIDI system" in text or "is not installed" in text
            do = f"plug it in, or switch it on; {facts.command} midi lists what this machine has"
            if not lacks:
                yield Finding("peer", f"{peer['name']}: {text}", do)
            elif not any(_midi(facts)):  # else that is said once for all of them, and what to do about it
                do = (
                    "start JACK, or load ALSA's sequencer: sudo modprobe snd-seq; "
                    f"{facts.command} midi lists what there is"
                )
                yield Finding("peer", f"{peer['name']}: {text}", do)
        if peer.get("early_bundles"):
            do = 'set both clocks by the network, or time_tags = "ignore" in its table'
            yield Finding("clock", f"{peer['name']}: its clock is ahead of ours: bundles came for a later time", do)


def _midi(facts: Facts) -> Iterator[Finding]:
    midi = facts.midi
    if midi is None:
        return
    if not midi.is_installed:
        do = f"{shlex.quote(sys.executable)} -m pip install python-rtmidi"
        yield Finding("midi", "python-rtmidi is not installed: no MIDI device is reached", do)
    if not midi.has_jack:
        if not midi.has_sequencer:
            do = "sudo modprobe snd-seq; and for every boot: echo snd-seq | sudo tee /etc/modules-load.d/snd-seq.conf"
            yield Finding("midi", "there is no ALSA sequencer (/dev/snd/seq), and no JACK", do)
        elif not midi.may_use_sequencer:
            do = f"sudo usermod -aG audio {midi.user}, and log in anew"
            yield Finding("midi", f"{midi.user} may not use MIDI: not in the group audio", do)
    elif not midi.may_be_realtime:
        do = f"sudo usermod -aG audio {midi.user} (on Arch: realtime), and log in anew"
        yield Finding("realtime", f"{midi.user} may not run in real time, which JACK needs to keep its pace", do)


def _machine(facts: Facts) -> Iterator[Finding]:
    state = str(_at(facts.health, "state").get("state", ""))
    if facts.state or state.startswith("unsaved"):
        do = "make room, or make it writable; or name another with $STATE_DIRECTORY or $XDG_STATE_HOME"
        yield Finding("state", facts.state or f"state: {state}", do)
    service = facts.service
    if service is None:
        return
    user = "" if service.is_system else "--user "
    if not service.is_enabled:
        do = f"{'sudo ' if service.is_system else ''}systemctl {user}enable stagebridge"
        yield Finding("service", f"{service.unit} is there, and is not started at boot", do)
    if not service.lingers:
        what = f"the service runs only while {service.user} is logged in"
        yield Finding("service", what, f"sudo loginctl enable-linger {service.user}")


def report(facts: Facts, found: Sequence[Finding]) -> list[str]:
    """Lines for people."""
    health = facts.health
    lines = [
        f"stagebridge {health['version']} runs, since {_span(float(health['uptime_s']))}" if health else "not running"
    ]
    for number, one in enumerate(found, 1):
        first, *more = one.do.split("\n")
        lines += ["", f"{number}. {one.what}", f"   → {first}", *(f"     {line}" for line in more)]
    lines += ["", *(f"not looked at: {what}" for what in facts.unseen)]
    if not found:
        lines.append("nothing found that would stop a tablet or a patch")
    return lines


def to_json(facts: Facts, found: Iterable[Finding]) -> dict[str, Any]:
    """The same for programs."""
    shown = [{"code": one.code, "what": one.what, "do": one.do} for one in found]
    return {"running": facts.health is not None, "findings": shown, "unseen": list(facts.unseen)}


def _at(health: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    found = (health or {}).get(key)
    return found if isinstance(found, Mapping) else {}


def _peer_health(facts: Facts) -> list[Mapping[str, Any]]:
    return list((facts.health or {}).get("peers", ()))


def _port(facts: Facts) -> str:
    """What another command needs to find the same daemon."""
    return "" if facts.http.port == DEFAULT_PORT else f" --port {facts.http.port}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
