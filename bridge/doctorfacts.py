"""The facts that ``doctor`` judges: read from this machine, its firewall's own tools, and a daemon that runs.

Here: looking; nothing is changed, and nothing but one question for our own name is sent. Blocks for up to some seconds.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import net, service
from .command import typed
from .config.settings import Config
from .discovery import asked, is_loopback
from .doctor import Facts, MidiFacts, PeerFacts, ServiceFacts
from .firewall import MDNS, Closed, Opening, firewalld_closed, iptables_closed, nft_closed, ufw_closed
from .midi.devices import has_jack
from .osc.settings import Endpoint, parse_endpoint
from .serviceunit import NAME
from .statefolder import NO_FOLDER, state_folder

COMMAND_S = 5.0
UFW = Path("/etc/ufw/ufw.conf")
SEQUENCER = Path("/dev/snd/seq")
MODULES = Path("/proc/modules")
ROOM_BYTES = 20_000_000
"""Less than this is no room for a state file and its log."""
PAGE, HTTPS = "the page", "the page by https"


def gather(
    settings: Config | None, environ: Mapping[str, str], health: Mapping[str, Any] | None, stranger: str
) -> Facts:
    """All facts, but for the mistakes of the configuration. ``health`` is what the running daemon says of itself."""
    openings = list(_openings(settings))
    addresses = net.lan_addresses()
    http = settings.http if settings else None
    facts = Facts(
        file=str(settings.file or "") if settings else "",
        http=openings[0] if openings else Opening("tcp", 8080, PAGE),
        is_loopback=http is not None and is_loopback(http.host),
        health=health,
        command=typed(),
        stranger=stranger,
        addresses=tuple(map(str, addresses)),
        peers=tuple(_peers(settings)),
        midi=_midi(settings),
        state=_state(environ),
        service=_service(environ),
    )
    if health is None:
        facts = replace(facts, holders=dict(_holders(openings)))
    elif (name := health.get("network", {}).get("name")) and addresses:
        facts = replace(facts, is_heard=asyncio.run(asked(name, addresses)))
    reachable = [one for one in openings if one.whom not in _unreached(settings)]
    if http is not None and http.announce and reachable:
        reachable.append(MDNS)
    return _with_firewall(facts, reachable)


def _openings(settings: Config | None) -> Iterator[Opening]:
    """What is to be reached, the page first."""
    if settings is None:
        return
    yield Opening("tcp", settings.http.port, PAGE)
    if settings.http.tls is not None:
        yield Opening("tcp", settings.http.tls.port, HTTPS)
    for name, transport, endpoint in _listening(settings):
        yield Opening(transport, endpoint.udp_port, name)


def _listening(settings: Config) -> Iterator[tuple[str, str, Endpoint]]:
    for peer in settings.peers:
        if peer.table == "osc" and not peer.settings.listen.endswith(":0"):
            yield peer.name, "tcp" if peer.settings.is_tcp else "udp", parse_endpoint(peer.settings.listen)


def _unreached(settings: Config | None) -> set[str]:
    """Whom only this machine reaches, whatever the firewall says."""
    if settings is None:
        return set()
    local = {name for name, _, endpoint in _listening(settings) if is_loopback(endpoint.host)}
    return local | ({PAGE, HTTPS} if is_loopback(settings.http.host) else set())


def _holders(openings: list[Opening]) -> Iterator[tuple[Opening, str]]:
    for one in openings:
        if one.port and (holder := net.holder_of(one.port, "tcp" if one.transport == "tcp" else "udp")) is not None:
            yield one, str(holder)


def _peers(settings: Config | None) -> Iterator[PeerFacts]:
    for peer in settings.peers if settings else ():
        if peer.table == "osc":
            yield PeerFacts(peer.name, peer.settings.advice)


def _midi(settings: Config | None) -> MidiFacts | None:
    if settings is None or not any(peer.table == "midi" for peer in settings.peers):
        return None
    facts = MidiFacts(is_installed=importlib.util.find_spec("rtmidi") is not None)
    if not Path("/proc").is_dir():
        return facts  # CoreMIDI and WinMM are always there
    import resource

    return replace(
        facts,
        has_sequencer=SEQUENCER.exists(),
        may_use_sequencer=os.access(SEQUENCER, os.R_OK | os.W_OK),
        has_jack=has_jack(),
        may_be_realtime=os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_RTPRIO)[1] != 0,
        user=_user(),
    )


def _state(environ: Mapping[str, str]) -> str:
    folder = state_folder(environ)
    if folder is None:
        return NO_FOLDER
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} may not be written by {_user()}"
    if shutil.disk_usage(there).free < ROOM_BYTES:
        return f"the disk of {there} is full"
    return ""


def _service(environ: Mapping[str, str]) -> ServiceFacts | None:
    for is_system in (False, True):
        unit = service.unit_path(is_system, environ)
        if unit.exists():
            wanted = "multi-user.target.wants" if is_system else "default.target.wants"
            lingers = is_system or (service.LINGER / _user()).exists()
            return ServiceFacts(str(unit), (unit.parent / wanted / NAME).is_symlink(), lingers, is_system, _user())
    return None


def _as_root() -> str:
    return f"only root may read it: sudo {typed()} doctor"


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return "this user"


# Firewalls


def _with_firewall(facts: Facts, openings: list[Opening]) -> Facts:
    if not openings:
        return facts
    if "ENABLED=yes" in _text(UFW):
        if (status := _said("ufw", "status", "verbose")) is None:
            lines = [f"sudo ufw allow {one.port}/{one.transport}" for one in openings]
            return _unseen(facts, f"the rules of ufw, which is on; {_as_root()}. What opens it: {'; '.join(lines)}")
        return _closed(facts, "ufw", ufw_closed(status, openings))
    if (_said("firewall-cmd", "--state") or "").strip() == "running":
        zones = {}
        for zone in _zones(_said("firewall-cmd", "--get-active-zones") or ""):
            if (text := _said("firewall-cmd", f"--zone={zone}", "--list-all")) is None:
                return _unseen(facts, f"the rules of firewalld; {_as_root()}")
            zones[zone] = text
        return _closed(facts, "firewalld", firewalld_closed(zones, openings))
    if (listed := _said("nft", "--json", "list", "ruleset")) is not None:
        closed = nft_closed(json.loads(listed or "{}").get("nftables", ()), openings)
        if closed:
            return _closed(facts, "nftables", closed)
    if (saved := _said("iptables-save")) is not None:
        return _closed(facts, "iptables", iptables_closed(saved, openings))
    if listed is None and any(name in _text(MODULES) for name in ("nf_tables ", "ip_tables ")) and os.geteuid() != 0:
        return _unseen(facts, f"the firewall (nftables, iptables); {_as_root()}")
    return facts


def _zones(text: str) -> list[str]:
    """Of ``firewall-cmd --get-active-zones``: those that stand at the left and have an interface below."""
    zones: list[str] = []
    last = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            last = line.split()[0]
        elif line.strip().startswith("interfaces:") and last:
            zones.append(last)
    return zones


def _closed(facts: Facts, firewall: str, closed: list[Closed]) -> Facts:
    return replace(facts, firewall=firewall, closed=tuple(closed))


def _unseen(facts: Facts, what: str) -> Facts:
    return replace(facts, unseen=(*facts.unseen, what))


def _said(*command: str) -> str | None:
    """What a command prints; None where it is not there or refuses. Those of an administrator are found too."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    program = shutil.which(command[0], path=path)
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=COMMAND_S, check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
