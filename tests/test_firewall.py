"""What a firewall's own tools print, read; and nftables' rules of a namespace of our own."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from bridge.firewall import MDNS, Closed, Opening, firewalld_closed, iptables_closed, nft_closed, ufw_closed
from tests.netlab import Lab, reason_against
from tests.peers import missing, require_tool

PAGE, OSC = Opening("tcp", 8080, "the page"), Opening("udp", 9000, "max")

UFW = """Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), disabled (routed)
New profiles: skip

To                         Action      From
--                         ------      ----
22/tcp                     ALLOW IN    Anywhere
{rules}
"""


def shut(closed: list[Closed]) -> list[Opening]:
    return [one.opening for one in closed]


def test_ufw_that_lets_in_nothing_else_is_opened_by_these_lines() -> None:
    closed = ufw_closed(UFW.format(rules=""), [PAGE, OSC])
    assert [one.line for one in closed] == ["sudo ufw allow 8080/tcp", "sudo ufw allow 9000/udp"]


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("8080/tcp                   ALLOW IN    Anywhere", [OSC]),
        ("8080                       LIMIT IN    Anywhere", [OSC]),
        ("9000:9010/udp              ALLOW IN    192.168.0.0/16", [PAGE]),
        ("80,8080/tcp on eth0        ALLOW IN    Anywhere", [OSC]),
        ("Anywhere                   ALLOW IN    192.168.1.0/24", []),
        ("8080/tcp                   DENY IN     Anywhere\n8080/tcp   ALLOW IN    Anywhere", [PAGE, OSC]),
    ],
)
def test_rules_of_ufw_are_read_in_their_order(rules: str, left: list[Opening]) -> None:
    assert shut(ufw_closed(UFW.format(rules=rules), [PAGE, OSC])) == left


def test_ufw_that_is_off_or_lets_everything_in_closes_nothing() -> None:
    assert ufw_closed("Status: inactive\n", [PAGE]) == []
    assert ufw_closed(UFW.format(rules="").replace("deny (incoming)", "allow (incoming)"), [PAGE]) == []


ZONE = "public (active)\n  target: {target}\n  interfaces: eth0\n  services: ssh {services}\n  ports: {ports}\n"


def test_a_zone_of_firewalld_lets_in_its_ports_and_services() -> None:
    text = ZONE.format(target="default", services="mdns", ports="8000-8100/tcp 53/udp")
    (closed,) = firewalld_closed({"public": text}, [PAGE, OSC, MDNS])
    assert closed.opening == OSC
    assert closed.line == (
        "sudo firewall-cmd --permanent --zone=public --add-port=9000/udp && sudo firewall-cmd --reload"
    )
    assert firewalld_closed({"trusted": ZONE.format(target="ACCEPT", services="", ports="")}, [OSC]) == []


IPTABLES = """*nat
:INPUT ACCEPT [0:0]
COMMIT
*filter
:INPUT DROP [0:0]
:mine - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -j mine
{rules}
COMMIT
"""


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("", [PAGE, OSC]),
        ("-A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT", [OSC]),
        ("-A mine -p udp -m multiport --dports 53,8999:9001 -j ACCEPT", [PAGE]),
        ("-A INPUT -s 192.168.0.0/16 -p tcp -m tcp --dport 8080 -j ACCEPT", [OSC]),
        ("-A mine -j DROP\n-A INPUT -p tcp --dport 8080 -j ACCEPT", [PAGE, OSC]),
        ("-A INPUT -i eth0 -j ACCEPT", []),
    ],
)
def test_rules_of_iptables_are_followed_into_their_chains(rules: str, left: list[Opening]) -> None:
    saved = IPTABLES.format(rules=rules).replace(":INPUT ACCEPT [0:0]\n", "", 1)
    assert shut(iptables_closed(saved, [PAGE, OSC])) == left


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    require_tool("nft", package="nftables")
    if reason := reason_against():
        missing(reason)
    with Lab.make() as lab:
        yield lab


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("", [PAGE, OSC]),
        ("tcp dport 8080 accept", [OSC]),
        ("tcp dport { 80, 8000-8100 } ip saddr 192.168.0.0/16 accept", [OSC]),
        ("meta l4proto { tcp, udp } th dport 9000 counter accept", [PAGE]),
        ("ip protocol udp accept", [PAGE]),
        ("udp dport @ours accept", [PAGE]),
        ("jump mine", []),
        ("drop\ntcp dport 8080 accept", [PAGE, OSC]),
        ("tcp dport != 22 accept", [OSC]),
    ],
)
def test_real_rules_of_nftables_are_followed(lab: Lab, rules: str, left: list[Opening]) -> None:
    text = f"""
        flush ruleset
        table inet filter {{
            set ours {{ type inet_service; elements = {{ 7000 }}; }}
            chain mine {{ tcp dport 8080 accept; udp dport 9000 accept; }}
            chain input {{
                type filter hook input priority 0; policy drop;
                iifname "lo" accept
                ct state established,related accept
                ct state invalid drop
                meta l4proto icmp accept
                {rules}
            }}
        }}
        """
    with lab.inside("server"):
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)
        listed = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    closed = nft_closed(json.loads(listed)["nftables"], [PAGE, OSC])
    assert shut(closed) == left
    if PAGE in left:
        assert closed[0].line == "sudo nft insert rule inet filter input tcp dport 8080 accept"
        with lab.inside("server"):
            subprocess.run(closed[0].line.split()[1:], check=True)  # the line is one that nft takes
            listed = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
        assert PAGE not in shut(nft_closed(json.loads(listed)["nftables"], [PAGE, OSC]))


def test_a_firewall_without_rules_closes_nothing() -> None:
    assert nft_closed([{"metainfo": {"version": "1"}}], [PAGE]) == []
    assert iptables_closed("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", [PAGE]) == []
