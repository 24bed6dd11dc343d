"""What this machine's firewall lets in, read from what its own tools print. Pure.

Here: ufw, firewalld, nftables, iptables. A rule that cannot be understood keeps nothing out: better a fault that is not
found than one that is none. Not here: asking the tools (``doctorfacts``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MAX_DEPTH = 16
"""Chains that jump to each other."""

Verdict = Literal["accept", "drop", "maybe"]


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """A port that others must reach: ``udp`` or ``tcp``, its number, and whom or what it is for."""

    transport: str
    port: int
    whom: str = ""

    def __str__(self) -> str:
        return f"{self.transport.upper()} {self.port}" + (f" ({self.whom})" if self.whom else "")


@dataclass(frozen=True, slots=True)
class Closed:
    """A port that a firewall keeps shut, and the line that opens it."""

    opening: Opening
    line: str


def ufw_closed(status: str, openings: Iterable[Opening]) -> list[Closed]:
    """By ``ufw status verbose``."""
    if "Status: active" not in status:
        return []
    keeps_out = re.search(r"Default:\s+(deny|reject) \(incoming\)", status) is not None
    rules = [
        (match[1], match[2] or "", match[3])
        for line in status.splitlines()
        if (
            match := re.match(
                r"([\d:,]+|Anywhere)(?:/(tcp|udp))?(?: on \S+)?\s+(ALLOW|LIMIT|DENY|REJECT)(?: IN)?\s", line
            )
        )
    ]

    def is_closed(one: Opening) -> bool:
        for ports, transport, action in rules:
            if transport in ("", one.transport) and (ports == "Anywhere" or _has_port(ports, one.port)):
                return action in ("DENY", "REJECT")
        return keeps_out

    return [Closed(one, f"sudo ufw allow {one.port}/{one.transport}") for one in openings if is_closed(one)]


def firewalld_closed(zones: Mapping[str, str], openings: Iterable[Opening]) -> list[Closed]:
    """By ``firewall-cmd --zone=ZONE --list-all`` of each zone that has an interface. The line opens it in the first."""
    closed = []
    for one in openings:
        shut = [zone for zone, text in zones.items() if not _zone_lets_in(text, one)]
        if shut:
            add = f"sudo firewall-cmd --permanent --zone={shut[0]} --add-port={one.port}/{one.transport}"
            closed.append(Closed(one, f"{add} && sudo firewall-cmd --reload"))
    return closed


def _zone_lets_in(text: str, one: Opening) -> bool:
    says = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    if says.get("target") == "ACCEPT":
        return True
    if one == MDNS and "mdns" in says.get("services", "").split():
        return True
    ports = [entry.split("/") for entry in says.get("ports", "").split() if "/" in entry]
    return any(kind == one.transport and _has_port(span.replace("-", ":"), one.port) for span, kind in ports)


MDNS = Opening("udp", 5353, "being found by name")


def _has_port(text: str, port: int) -> bool:
    """Whether ``80,8080:8090`` has it."""
    for part in text.split(","):
        low, _, high = part.partition(":")
        if low.isdecimal() and int(low) <= port <= int(high or low):
            return True
    return False


# nftables, iptables: chains of rules


@dataclass(frozen=True, slots=True)
class _Rule:
    """``fits`` is whether each of its conditions holds for a new packet from elsewhere; None: nobody knows.
    ``does``: accept, drop, return, or the chain that it goes on in."""

    fits: tuple[bool | None, ...]
    names_port: bool
    does: str


Rules = Callable[[str, Opening], Sequence[_Rule]]


def _verdict(rules: Rules, chain: str, one: Opening, depth: int = 0) -> Verdict | None:
    """What becomes of such a packet; None: the chain does not say."""
    for rule in rules(chain, one) if depth < MAX_DEPTH else ():
        if False in rule.fits:
            continue
        is_sure = None not in rule.fits
        if rule.does == "accept":
            if is_sure:
                return "accept"
            if rule.names_port or len(rule.fits) == 1:
                return "maybe"
        elif rule.does == "drop" and is_sure:
            return "drop"
        elif rule.does == "return" and is_sure:
            return None
        elif rule.does not in ("accept", "drop", "return"):
            found = _verdict(rules, rule.does, one, depth + 1)
            if found is not None and not (found == "drop" and not is_sure):
                return found
    return None


def iptables_closed(saved: str, openings: Iterable[Opening]) -> list[Closed]:
    """By ``iptables-save``."""
    policy = re.search(r"^:INPUT (\w+)", saved, re.MULTILINE)
    table = saved[saved.find("*filter") :].partition("COMMIT")[0]
    lines = [line.split() for line in table.splitlines() if line.startswith("-A ")]

    def rules(chain: str, one: Opening) -> list[_Rule]:
        return [rule for words in lines if words[1] == chain and (rule := _iptables_rule(words[2:], one))]

    def is_closed(one: Opening) -> bool:
        return (_verdict(rules, "INPUT", one) or (policy[1].lower() if policy else "accept")) == "drop"

    return [
        Closed(one, f"sudo iptables -I INPUT -p {one.transport} --dport {one.port} -j ACCEPT")
        for one in openings
        if is_closed(one)
    ]


def _iptables_rule(words: Sequence[str], one: Opening) -> _Rule | None:
    fits: list[bool | None] = []
    names_port, does, is_not = False, "", False
    pairs = list(zip(words, [*words[1:], ""], strict=True))
    for word, after in pairs:
        fit: bool | None
        if word == "!":
            is_not = True
            continue
        if word in ("-p", "--protocol"):
            fit = after in (one.transport, "all")
        elif word in ("--dport", "--dports"):
            fit, names_port = _has_port(after, one.port), True
        elif word in ("-i", "--in-interface"):
            fit = False if after == "lo" else None
        elif word in ("--ctstate", "--state"):
            fit = "NEW" in after.split(",")
        elif word in ("-j", "-g"):
            does = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return"}.get(after, after)
            continue
        elif word.startswith("-") and word not in ("-m", "--comment", "--reject-with", "--match"):
            fit = None
        else:
            continue
        fits.append(fit if fit is None or not is_not else not fit)
        is_not = False
    return _Rule(tuple(fits), names_port, does) if does not in ("", "LOG") else None


def nft_closed(ruleset: Sequence[Mapping[str, Any]], openings: Iterable[Opening]) -> list[Closed]:
    """By ``nft -j list ruleset``, its list."""
    chains = [entry["chain"] for entry in ruleset if "chain" in entry]
    listed = [entry["rule"] for entry in ruleset if "rule" in entry]
    closed = []
    for one in openings:
        for base in chains:
            table = (base["family"], base["table"])
            if base.get("hook") != "input" or base.get("type") != "filter" or base["family"] not in ("ip", "inet"):
                continue

            def rules(chain: str, one: Opening, table: tuple[str, str] = table) -> list[_Rule]:
                mine = [rule for rule in listed if (rule["family"], rule["table"]) == table and rule["chain"] == chain]
                return [made for rule in mine if (made := _nft_rule(rule.get("expr", ()), one))]

            if (_verdict(rules, base["name"], one) or base.get("policy", "accept")) == "drop":
                where = f"{base['family']} {base['table']} {base['name']}"
                closed.append(Closed(one, f"sudo nft insert rule {where} {one.transport} dport {one.port} accept"))
                break
    return closed


def _nft_rule(expressions: Sequence[Mapping[str, Any]], one: Opening) -> _Rule | None:
    fits: list[bool | None] = []
    names_port, does = False, ""
    for each in expressions:
        if (match := each.get("match")) is not None:
            fit, is_port = _nft_match(match["left"], match["right"], one)
            names_port |= is_port
            if (other := match["left"].get("payload", {}).get("protocol")) in ("tcp", "udp") and other != one.transport:
                fits.append(False)  # whatever is compared, and how
                continue
            fits.append(fit if fit is None or match.get("op") != "!=" else not fit)
        elif each.keys() & {"accept", "drop", "reject", "return"}:
            verdict = next(iter(each))
            does = "drop" if verdict == "reject" else verdict
        elif (jump := each.get("jump") or each.get("goto")) is not None:
            does = jump["target"]
        elif not each.keys() & {"counter", "log", "comment"}:
            fits.append(None)
    return _Rule(tuple(fits), names_port, does) if does else None


def _nft_match(left: Any, right: Any, one: Opening) -> tuple[bool | None, bool]:
    """(whether it holds, whether it is about the port)."""
    payload, meta = left.get("payload", {}), left.get("meta", {})
    protocol, field, key = payload.get("protocol"), payload.get("field"), meta.get("key")
    if field == "dport" and protocol in ("tcp", "udp", "th"):
        return _nft_has(right, one.port), True
    if isinstance(protocol, str) and protocol.startswith("icmp"):
        return False, False
    if key == "l4proto" or field in ("protocol", "nexthdr"):
        return _nft_has(right, one.transport), False
    if key in ("iif", "iifname"):
        return (False if right == "lo" else None), False
    if left.get("ct", {}).get("key") == "state":
        return _nft_has(right, "new"), False
    return None, False


def _nft_has(right: Any, wanted: Any) -> bool | None:
    """Whether a right side has it; None where that stands elsewhere."""
    if isinstance(right, Mapping):
        if "range" in right:
            low, high = right["range"]
            return bool(low <= wanted <= high)
        right = right.get("set", ())
    if isinstance(right, list | tuple):
        found = [_nft_has(each, wanted) for each in right]
        return True if True in found else None if None in found else False
    if isinstance(right, str) and right.startswith("@"):
        return None
    return bool(right == wanted)
