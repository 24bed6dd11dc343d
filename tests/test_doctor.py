"""Facts → findings, one test for each; and the command itself on this machine and in a namespace of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.app import KINDS
from bridge.config.loading import parse
from bridge.doctor import Facts, Finding, MidiFacts, PeerFacts, ServiceFacts, findings, report, to_json
from bridge.doctorfacts import _openings, _zones
from bridge.firewall import Closed, Opening
from tests.daemon import ROOT, Daemon
from tests.netlab import Lab, reason_against
from tests.peers import free_tcp_port, missing, require_tool

PEER = {"port": "osc", "name": "max", "state": "online", "text": "heard", "heard_s_ago": 1.0, "early_bundles": 0}
HEALTH: Mapping[str, Any] = {
    "version": "0.1.0",
    "uptime_s": 600.0,
    "config": {"file": "", "trouble": ""},
    "network": {"name": "foh.local", "trouble": "", "visitors": ["192.168.1.23"]},
    "state": {"state": "saved"},
    "peers": [PEER],
}
WELL = Facts(file="show.toml", health=HEALTH, addresses=("192.168.1.10",), is_heard=True)


def one(facts: Facts, code: str) -> Finding:
    (found,) = findings(facts)
    assert found.code == code
    return found


def with_health(**changes: Any) -> Facts:
    return replace(WELL, health={**HEALTH, **changes})


def with_peer(**changes: Any) -> Facts:
    return with_health(peers=[{**PEER, **changes}])


def test_where_all_is_well_nothing_is_found() -> None:
    assert findings(WELL) == []
    assert report(WELL, [])[-1] == "nothing found that would stop a tablet or a patch"


def test_a_mistake_in_the_configuration_is_named() -> None:
    found = one(replace(WELL, mistakes=("show.toml:3: no such key",)), "configuration")
    assert found.what == "show.toml:3: no such key"
    assert "stagebridge check show.toml" in found.do


def test_what_runs_instead_of_a_configuration_with_mistakes_is_said() -> None:
    trouble = "what was there before runs on: show.toml:3: no such key"
    found = one(with_health(config={"trouble": trouble}), "configuration")
    assert found.what == f"the configuration has mistakes: {trouble}"
    assert found.do == "mend the file; then stagebridge reload"


def test_other_commands_are_named_with_the_port_of_the_same_daemon() -> None:
    elsewhere = replace(with_peer(heard_s_ago=None), http=Opening("tcp", 8081, "the page"))
    assert "stagebridge monitor --port 8081 shows" in one(elsewhere, "peer").do


def test_a_firewall_is_opened_by_the_lines_that_are_printed() -> None:
    page, osc = Opening("tcp", 8080, "the page"), Opening("udp", 9000, "max")
    closed = (Closed(page, "sudo ufw allow 8080/tcp"), Closed(osc, "sudo ufw allow 9000/udp"))
    # That nobody has come is no wonder then, and is not said too.
    facts = replace(with_health(network={"name": "", "trouble": "", "visitors": []}), firewall="ufw", closed=closed)
    found = one(facts, "firewall")
    assert found.what == "ufw keeps others from TCP 8080 (the page), UDP 9000 (max)"
    lines = report(facts, [found])
    assert "   → sudo ufw allow 8080/tcp" in lines
    assert "     sudo ufw allow 9000/udp" in lines


def test_nobody_from_elsewhere_is_missed_after_a_while() -> None:
    network = {"name": "foh.local", "trouble": "", "visitors": []}
    found = one(with_health(network=network), "visitor")
    assert found.what == "no other device has opened the page in the 10 min since the start"
    assert "http://192.168.1.10:8080/" in found.do
    assert "isolation" in found.do
    assert findings(with_health(network=network, uptime_s=5.0)) == []


def test_several_networks_are_pointed_out_to_whom_nobody_has_come() -> None:
    facts = with_health(network={"name": "foh.local", "trouble": "", "visitors": []})
    assert "several networks" in one(replace(facts, addresses=("192.168.1.10", "10.0.0.2")), "visitor").do


def test_a_machine_without_an_address_says_so() -> None:
    one(replace(WELL, addresses=()), "network")


def test_a_page_for_this_machine_alone_is_named() -> None:
    assert "0.0.0.0" in one(replace(WELL, is_loopback=True, addresses=()), "loopback").do


@pytest.mark.parametrize(
    "facts", [replace(WELL, is_heard=False), with_health(network={"trouble": "multicast is blocked"})]
)
def test_blocked_multicast_is_found(facts: Facts) -> None:
    facts = replace(facts, health={**facts.health, "uptime_s": 1.0}) if facts.health else facts
    assert "5353" in one(facts, "name").do


def test_who_holds_a_port_that_is_ours_to_open_is_named() -> None:
    facts = replace(WELL, health=None, holders={Opening("udp", 9000, "max"): "scsynth (pid 7)"})
    assert one(facts, "busy").what == "UDP 9000 (max) is taken by scsynth (pid 7)"


def test_a_port_that_the_daemon_cannot_have_is_named() -> None:
    found = one(
        with_peer(state="offline", heard_s_ago=None, text="UDP 9000 is taken by Max (pid 7), trying again"), "busy"
    )
    assert "Max (pid 7)" in found.what


def test_what_is_no_daemon_of_ours_is_named() -> None:
    facts = replace(WELL, health=None, stranger="it is not stagebridge", holders={WELL.http: "nginx (pid 7)"})
    assert one(facts, "busy").what == "TCP 8080 (the page) is taken by nginx (pid 7): it is not stagebridge"


def test_a_peer_that_was_never_heard_comes_with_its_profiles_advice() -> None:
    facts = with_peer(state="connecting", heard_s_ago=None, text="never heard; we listen on UDP 9000")
    assert "does it send to this machine" in one(facts, "peer").do
    assert one(replace(facts, peers=(PeerFacts("max", "look at Connections"),)), "peer").do == "look at Connections"


def test_a_midi_device_that_is_not_there_is_named() -> None:
    facts = with_health(peers=[{"port": "midi", "name": "nano", "state": "offline", "text": "not plugged in"}])
    assert one(facts, "peer").what == "nano: not plugged in"


def test_a_peer_whose_clock_is_ahead_is_found() -> None:
    assert "time_tags" in one(with_peer(early_bundles=3), "clock").do


@pytest.mark.parametrize(
    ("midi", "code", "part"),
    [
        (MidiFacts(is_installed=False), "midi", f"{sys.executable} -m pip install python-rtmidi"),
        (MidiFacts(has_sequencer=False, may_use_sequencer=False), "midi", "modprobe snd-seq"),
        (MidiFacts(may_use_sequencer=False, user="anna"), "midi", "usermod -aG audio anna"),
        (MidiFacts(has_jack=True, may_be_realtime=False, user="anna"), "realtime", "usermod -aG audio anna"),
    ],
)
def test_what_midi_lacks_is_found(midi: MidiFacts, code: str, part: str) -> None:
    assert part in one(replace(WELL, midi=midi), code).do


def test_midi_that_has_all_it_needs_is_no_finding() -> None:
    assert findings(replace(WELL, midi=MidiFacts())) == []


@pytest.mark.parametrize(
    "facts", [replace(WELL, state="/x may not be written"), with_health(state={"state": "unsaved: full"})]
)
def test_a_state_that_cannot_be_kept_is_found(facts: Facts) -> None:
    one(facts, "state")


def test_a_service_that_does_not_start_at_boot_is_found() -> None:
    ours = ServiceFacts("/x/stagebridge.service", is_enabled=False, lingers=True, is_system=False, user="anna")
    assert one(replace(WELL, service=ours), "service").do == "systemctl --user enable stagebridge"
    ours = replace(ours, is_enabled=True, lingers=False)
    assert one(replace(WELL, service=ours), "service").do == "sudo loginctl enable-linger anna"
    assert findings(replace(WELL, service=replace(ours, lingers=True))) == []


def test_no_device_is_blamed_for_a_machine_without_midi() -> None:
    text = "no MIDI system on this machine: ALSA has no sequencer (/dev/snd/seq); JACK is not running"
    facts = with_peer(port="midi", state="offline", text=text)
    assert "sudo modprobe snd-seq" in one(facts, "peer").do
    one(replace(facts, midi=MidiFacts(has_sequencer=False)), "midi")


def test_what_could_not_be_looked_at_is_said_and_is_no_finding() -> None:
    facts = replace(WELL, unseen=("the rules of ufw",))
    assert findings(facts) == []
    assert "not looked at: the rules of ufw" in report(facts, [])
    assert to_json(facts, []) == {"running": True, "findings": [], "unseen": ["the rules of ufw"]}


def test_only_zones_with_an_interface_count() -> None:
    assert _zones("public (default)\n  interfaces: eth0 wlan0\nhome\n  sources: 10.0.0.0/8\n") == ["public"]


# The command


def doctor(*args: str, cwd: Path, **more: Any) -> tuple[int, Any]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(cwd / "state"), "HOME": str(cwd)}
    environ.pop("STATE_DIRECTORY", None)
    command = [sys.executable, "-m", "bridge", "doctor", "--json", *args]
    ran = subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True, timeout=20, check=False, **more)
    assert not ran.stderr, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def codes(answer: Any) -> list[str]:
    return [found["code"] for found in answer["findings"]]


def test_beside_a_daemon_it_says_what_the_daemon_knows_and_ends_with_1(tmp_path: Path) -> None:
    port = free_tcp_port()
    config = f"""
        [http]
        host = "127.0.0.1"
        port = {port}
        [[osc]]
        name = "tablet"
        profile = "touchosc"
        listen = "127.0.0.1:0"
        """
    with Daemon.start(config, tmp_path, "--port", str(port)):
        code, answer = doctor("config.toml", cwd=tmp_path)
        elsewhere = tmp_path / "pages"
        elsewhere.mkdir()
        assert doctor("--port", str(port), cwd=elsewhere) == (code, answer), "what runs is asked for its file"
        (tmp_path / "config.toml").write_text(config + "[[control]]\n")
        assert codes(doctor("config.toml", "--port", str(port), cwd=tmp_path)[1]) == ["configuration", "peer"]
    assert (code, answer["running"]) == (1, True)
    assert codes(answer) == ["loopback", "peer"]
    assert "Connections › OSC" in answer["findings"][1]["do"]


def test_without_a_daemon_it_names_who_holds_our_ports(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[[osc]]\nname = "max"\nlisten = "0.0.0.0:9000"\n')
    listener = (
        "import socket; s = socket.create_server(('', 8080)); print(flush=True); s.accept()[0].send(b'hi'); s.accept()"
    )
    with lab.inside("server"):
        other = subprocess.Popen([sys.executable, "-c", listener], stdout=subprocess.PIPE)
        try:
            assert other.stdout is not None
            other.stdout.readline()
            code, answer = doctor(cwd=tmp_path)
        finally:
            other.kill()
            other.communicate()
    assert code == 1
    assert not answer["running"]
    assert codes(answer) == ["busy"]
    assert f"(pid {other.pid})" in answer["findings"][0]["what"]


def test_every_port_that_others_must_reach_is_looked_at() -> None:
    text = """
        [http.tls]
        port = 8443
        [[osc]]
        name = "max"
        listen = "0.0.0.0:9000"
        [[osc]]
        name = "any"
        """
    assert list(map(str, _openings(parse(text, KINDS)))) == [
        "TCP 8080 (the page)", "TCP 8443 (the page by https)", "UDP 9000 (max)",
    ]  # fmt: skip


def test_a_firewall_of_nftables_is_found_with_the_line_that_opens_it(lab: Lab, tmp_path: Path) -> None:
    require_tool("nft", package="nftables")
    (tmp_path / "config.toml").write_text('[[osc]]\nname = "max"\nlisten = "0.0.0.0:9000"\n')
    accepted = "iif lo accept; tcp dport 8080 accept"
    rules = f"table ip f {{ chain in {{ type filter hook input priority 0; policy drop; {accepted}; }}; }}"
    with lab.inside("server"):
        assert doctor(cwd=tmp_path) == (0, {"running": False, "findings": [], "unseen": []})
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        code, answer = doctor(cwd=tmp_path)
        assert (code, codes(answer)) == (1, ["firewall"])
        lines = answer["findings"][0]["do"].splitlines()
        assert lines[0] == "sudo nft insert rule ip f in udp dport 9000 accept"
        for line in lines:
            subprocess.run(line.split()[1:], check=True)
        assert doctor(cwd=tmp_path)[0] == 0
        subprocess.run(["nft", "flush", "ruleset"], check=True)


@pytest.fixture(scope="module")
def lab() -> Any:
    if reason := reason_against():
        missing(reason)
    with Lab.make() as lab:
        yield lab
