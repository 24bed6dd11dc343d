"""Found on the network: what is announced, and that others find it, in two network namespaces, with avahi too."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.discovery import HTTP, OSC_TCP, OSC_UDP, Listener, further_names, is_loopback, services, short_name
from tests.netlab import SERVER, TABLET, Lab, reason_against
from tests.peers import missing, require_tool
from tests.waiting import SOON_S

ROOT = Path(__file__).resolve().parent.parent
NAME = short_name(socket.gethostname())
PICKED_UP_S = 10.0
"""Within this time a new address is picked up."""

# What is said


def test_the_page_and_each_osc_port_are_announced_under_names_that_people_can_tell_apart() -> None:
    offers = [
        Listener("udp", "0.0.0.0", 9000, ("max", "pd")),
        Listener("tcp", "0.0.0.0", 9100, ("qlab",), "slip"),
        Listener("tcp", "0.0.0.0", 9101, ("old",), "length"),
    ]
    page, udp, slip, length = services("Show", "foh", ("0.0.0.0", 8080), offers)
    assert (page.kind, page.name, page.port) == (HTTP, "Show (foh)", 8080)
    assert page.says == {"path": "/", "title": "Show"}
    assert (udp.kind, udp.name, udp.port) == (OSC_UDP, "Show max+pd (foh)", 9000)
    assert udp.says == {"txtvers": "1", "version": "1.1", "types": "ifsbhtdScrmTFNI[]"}
    assert (slip.kind, slip.says["framing"], slip.says["version"]) == (OSC_TCP, "slip", "1.1")
    assert (length.says["framing"], length.says["version"]) == ("length", "1.0")


def test_what_only_this_machine_reaches_is_not_announced() -> None:
    offers = [Listener("udp", "127.0.0.1", 9000, ("max",)), Listener("udp", "::1", 9001, ("pd",))]
    assert services("Show", "foh", ("127.0.0.1", 8080), offers) == []
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")


def test_a_name_has_at_most_63_bytes_and_no_dot() -> None:
    (page,) = services("Große Bühne. " * 9, "foh", ("0.0.0.0", 80), [])
    assert len(page.name.encode()) <= 63
    assert page.name.startswith("Große Bühne· ")
    assert page.name.endswith(" (foh)")


def test_a_host_name_becomes_one_that_may_stand_before_local() -> None:
    assert [short_name(name) for name in ("FOH.lan", "my_box", "-", "bühne")] == [
        "foh",
        "my-box",
        "stagebridge",
        "b-hne",
    ]


def test_where_a_name_is_taken_a_number_is_put_behind_it() -> None:
    names = further_names("f" * 63)
    assert [next(names), next(names)] == ["f" * 63, "f" * 61 + "-2"]


# On a network


@pytest.fixture
def lab() -> Iterator[Lab]:
    if reason := reason_against():
        missing(reason)
    with Lab.make() as lab:
        yield lab


def test_it_is_found_once_its_address_is_there_and_gone_when_it_stops(lab: Lab, tmp_path: Path) -> None:
    """A show box boots before the router: the address comes later, and so does the OSC port that listens on it. The
    tablet has taken the box's name meanwhile."""
    lab.unplug("server")
    with lab.inside("server"):
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.bind(("", 9003))
    with other, show(lab, tmp_path) as daemon, Browser.start(lab, tmp_path) as browser:
        nothing = {"addresses": [], "name": "", "announced": [], "trouble": "", "visitors": []}
        assert daemon.health()["network"] == nothing
        assert state_of("near", daemon) == "offline"
        lab.plug("server")
        plugged = time.monotonic()
        page = browser.wait("+", HTTP)
        assert (page["host"], page["port"], page["addresses"]) == (f"{NAME}-2.local.", 8080, [SERVER])
        assert page["says"] == {"path": "/", "title": "Show"}
        assert browser.wait("+", OSC_UDP, "max")["port"] == 9000
        until(lambda: state_of("near", daemon) == "connecting")
        assert time.monotonic() - plugged < PICKED_UP_S
        assert f"also at http://{SERVER}:8080/" in daemon.log
        until(lambda: daemon.health()["network"]["announced"])
        other.close()
        assert browser.wait("+", OSC_UDP, "late")["port"] == 9003
        assert not browser.has("-", "")  # what was found before is not taken back for it
        assert daemon.health()["network"]["name"] == f"{NAME}-2.local"
        called = urllib.request.Request(daemon.url, headers={"Host": f"{NAME}-2.local:8080"})
        with lab.inside("server"), urllib.request.urlopen(called, timeout=SOON_S) as answer:
            assert answer.status == 200  # who asks by that name is answered
        assert f"{NAME}.local is another machine, at {TABLET}" in daemon.log
        daemon.process.send_signal(signal.SIGTERM)
        assert browser.wait("-", HTTP)["name"] == f"Show ({NAME})._http._tcp.local."
        assert daemon.process.wait(5) == 0


def test_beside_avahi_the_name_stays_and_another_machine_s_avahi_finds_it(lab: Lab, tmp_path: Path) -> None:
    need("avahi-daemon", "avahi-browse", "dbus-daemon")
    with avahi(lab, "tablet", tmp_path, "pad") as theirs, avahi(lab, "server", tmp_path, NAME) as ours:
        with show(lab, tmp_path) as daemon:
            until(lambda: daemon.health()["network"]["announced"])
            found = theirs("avahi-browse", "--resolve", "--parsable", "--terminate", HTTP)
            assert f";{NAME}.local;{SERVER};8080;" in found
            assert theirs("avahi-resolve", "-4n", f"{NAME}.local").split() == [f"{NAME}.local", SERVER]
            assert daemon.health()["network"]["name"] == f"{NAME}.local"
        assert "conflict" not in ours("cat", str(tmp_path / "avahi-server.txt"))


def test_blocked_multicast_is_one_line_and_a_status_and_the_show_goes_on(lab: Lab, tmp_path: Path) -> None:
    require_tool("nft", package="nftables")
    with lab.inside("server"):
        for line in ("table inet t", "chain inet t in { type filter hook input priority 0; }"):
            subprocess.run(["nft", "add", *line.split(" ", 1)], check=True)
        subprocess.run(["nft", "add", "rule", "inet", "t", "in", "udp", "dport", "5353", "drop"], check=True)
    with show(lab, tmp_path) as daemon:
        until(lambda: daemon.health()["network"]["trouble"])
        assert "multicast is blocked" in daemon.health()["network"]["trouble"]
        assert daemon.log.count("multicast is blocked") == 1
        assert daemon.health()["status"] in ("ok", "degraded")


# Helpers

CONFIG = f"""
[auth]
mode = "open"
[http]
title = "Show"

[[osc]]
name = "max"
listen = "0.0.0.0:9000"

[[osc]]
name = "near"
listen = "{SERVER}:9001"

[[osc]]
name = "late"
listen = "0.0.0.0:9003"

[[osc]]
name = "here"
listen = "127.0.0.1:9002"
"""


class Show:
    """A daemon on every address of the server's side."""

    url = "http://127.0.0.1:8080/"

    def __init__(self, lab: Lab, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._lab = lab
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def health(self) -> dict[str, Any]:
        with self._lab.inside("server"), urllib.request.urlopen(self.url + "healthz", timeout=SOON_S) as answer:
            health: dict[str, Any] = json.loads(answer.read())
            return health


@contextlib.contextmanager
def show(lab: Lab, tmp_path: Path) -> Iterator[Show]:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    log = tmp_path / "log.txt"
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }
    command = [sys.executable, "-m", "bridge", "run", str(tmp_path / "config.toml")]
    with log.open("wb") as out, lab.inside("server"):
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environ, cwd=tmp_path)
    with ended(process):
        daemon = Show(lab, process, log)
        until(lambda: daemon.url in daemon.log)
        yield daemon


def state_of(peer: str, daemon: Show) -> str:
    return next(str(one["state"]) for one in daemon.health()["peers"] if one["name"] == peer)


class Browser:
    """What somebody on the tablet's side finds with python-zeroconf, as it comes and goes."""

    def __init__(self, out: Path) -> None:
        self._out = out

    @classmethod
    @contextlib.contextmanager
    def start(cls, lab: Lab, tmp_path: Path) -> Iterator["Browser"]:
        out = tmp_path / "browser.txt"
        with out.open("wb") as stream, lab.inside("tablet"):
            process = subprocess.Popen([sys.executable, "-u", __file__], stdout=stream)
        with ended(process):
            until(out.read_text)
            yield cls(out)

    def wait(self, sign: str, kind: str, part: str = "") -> dict[str, Any]:
        """The first of this kind that has come (+) or gone (-) and has ``part`` in its name."""

        return until(lambda: self.has(sign, kind, part))

    def has(self, sign: str, kind: str, part: str = "") -> dict[str, Any] | None:
        """The same, or None if there is none yet."""
        lines = [json.loads(line) for line in self._out.read_text().splitlines(keepends=True) if line.endswith("\n")]
        fits = (one for one in lines if one["sign"] == sign and kind in one["name"] and part in one["name"])
        return next(fits, None)


def browse() -> None:
    """The program of a Browser: one JSON line for each service that comes or goes. Its machine has our name."""
    import zeroconf

    network = zeroconf.Zeroconf(interfaces=[TABLET])
    kind = "_other._tcp.local."
    ours = zeroconf.ServiceInfo(kind, f"x.{kind}", 1, server=f"{NAME}.local.", parsed_addresses=[TABLET])
    network.register_service(ours, cooperating_responders=True)

    class Printer:
        def add_service(self, _: Any, kind: str, name: str) -> None:
            info = network.get_service_info(kind, name)
            assert info is not None
            says = {key.decode(): value.decode() for key, value in info.properties.items() if value is not None}
            tell("+", name, host=info.server, port=info.port, addresses=info.parsed_addresses(), says=says)

        def remove_service(self, _: Any, kind: str, name: str) -> None:
            tell("-", name)

        def update_service(self, *_: Any) -> None: ...

    def tell(sign: str, name: str, **more: Any) -> None:
        print(json.dumps({"sign": sign, "name": name, **more}))

    tell("!", NAME)
    zeroconf.ServiceBrowser(network, [f"{kind}.local." for kind in (HTTP, OSC_UDP, OSC_TCP)], Printer())  # type: ignore[arg-type]
    signal.pause()


@contextlib.contextmanager
def avahi(lab: Lab, side: Any, tmp_path: Path, name: str) -> Iterator[Callable[..., str]]:
    """An avahi-daemon with this name on this side, and a D-Bus of its own; gives what runs a command beside it."""
    bus, config, log = (tmp_path / f"{what}-{side}" for what in ("bus", "avahi", "avahi.txt"))
    log = tmp_path / f"avahi-{side}.txt"
    config = tmp_path / f"avahi-{side}.conf"
    config.write_text(
        f"[server]\nhost-name={name}\nuse-ipv6=no\nallow-point-to-point=yes\n[publish]\npublish-workstation=no\n"
    )
    environ = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}
    inside = "mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot"
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(log.open("wb"))
        with lab.inside(side):
            address = f"--address=unix:path={bus}"
            started = subprocess.Popen(["dbus-daemon", "--session", "--nofork", address], stderr=subprocess.DEVNULL)
            stack.enter_context(ended(started))
            until(bus.exists)
            command = ["unshare", "-m", "sh", "-c", f"{inside} --no-rlimits -f '{config}'"]
            stack.enter_context(ended(subprocess.Popen(command, env=environ, stdout=out, stderr=out)))
        until(lambda: f"Host name is {name}.local" in log.read_text())

        def run(*words: str) -> str:
            with lab.inside(side):
                return subprocess.run(words, env=environ, check=True, capture_output=True, text=True, timeout=10).stdout

        yield run


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def need(*tools: str) -> None:
    for tool in tools:
        package = {"avahi-browse": "avahi-utils", "dbus-daemon": "dbus-daemon"}.get(tool, tool)
        require_tool(tool, package=package)


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SOON_S
    while not (what := found()):
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0.05)
    return what


if __name__ == "__main__":
    browse()
