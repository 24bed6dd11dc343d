"""`stagebridge monitor`, `send`, `push` and `learn` as a shell sees them, against a real daemon and a real peer."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.app import KINDS
from bridge.cli import main
from bridge.config.loading import load
from bridge.osc.codec import ALL, Bundle, Message, Packet, TimeTag, decode, encode, encode_message
from bridge.tools import line_text
from tests.daemon import Daemon
from tests.peers import free_tcp_port, free_udp_port
from tests.test_cli import started
from tests.waiting import SOON_S

CONFIG = """
[[osc]]
name = "max"
listen = "127.0.0.1:{listen}"
send = ["127.0.0.1:{send}"]
auto = true

[[osc]]
name = "strict"
listen = "127.0.0.1:{strict}"
send = ["127.0.0.1:{send}"]
mirror = false
auto = true

[[osc]]
name = "ear"
listen = "127.0.0.1:{ear}"

[[control]]
path = "/level"
[[control]]
path = "/go"
kind = "trigger"
"""


class Max:
    """A program with one UDP socket, which both peers send to."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(SOON_S)
        self.ports = {name: free_udp_port() for name in ("listen", "strict", "ear")}
        self.shown = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.config = CONFIG.format(send=self.sock.getsockname()[1], **self.ports)

    def say(self, data: bytes, to: str = "listen") -> None:
        self.sock.sendto(data, ("127.0.0.1", self.ports[to]))

    def hear(self) -> Packet:
        return decode(self.sock.recv(65_536))


@pytest.fixture(scope="module")
def max_() -> Iterator[Max]:
    made = Max()
    with made.sock:
        yield made


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, max_: Max) -> Iterator[Daemon]:
    with Daemon.start(max_.config, tmp_path_factory.mktemp("daemon")) as running:
        yield running


class Shell:
    """Commands without a process of their own (0.3 s each); that they run as one is tested with `watch` and others."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *args: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr)."""
        self._capsys.readouterr()
        code = main(args)
        out, err = self._capsys.readouterr()
        return code, out, err.strip()

    def ask(self, daemon: Daemon, *args: str) -> tuple[int, str, str]:
        """The same about this daemon."""
        return self.run(*args, "--url", daemon.ws_url)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


# monitor


def monitors_are(count: int, daemon: Daemon) -> None:
    """Return when so many watch: a command that has just been started, or has gone."""
    deadline = time.monotonic() + SOON_S
    while daemon.request("GET", "/healthz")[1]["monitors"] != count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_monitor_prints_what_goes_in_and_out(daemon: Daemon, max_: Max) -> None:
    with started("monitor", "max", "--url", daemon.ws_url) as process:
        monitors_are(1, daemon)
        max_.say(encode_message("/level", (0.25,)))
        max_.say(b"/a\0\0,x\0\0")
        max_.say(encode(Bundle(TimeTag(1), (Message("/go", ("one two", 3)),))))
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        me = max_.shown
        assert [line.partition(" ")[2] for line in lines] == [
            f"max ← {me} /level ,f 0.25",
            f"max ← {me} not OSC, 8 bytes: byte 5: unknown type tag 'x': 2f 61 00 00 2c 78 00 00",
            f'max ← {me} /go ,si "one two" 3 (bundle 1)',
        ]
        daemon.request("PUT", "/api/controls/level", {"value": 0.5})
        assert process.stdout.readline().strip().endswith(f"max → {me} /level ,f 0.5")
        assert max_.hear() == Message("/level", (0.5,))
    monitors_are(0, daemon)


def test_monitor_as_json_is_one_object_a_line_of_what_was_asked_for(daemon: Daemon, max_: Max) -> None:
    with started("monitor", "--json", "--filter", "/le*", "--url", daemon.ws_url) as process:
        monitors_are(1, daemon)
        max_.say(encode_message("/go"))
        max_.say(encode_message("/level", (0.75,)))
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert (line["way"], line["peer"], line["address"], line["types"], line["args"]) == (
            "in", "max", "/level", ",f", [0.75],
        )  # fmt: skip
    monitors_are(0, daemon)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["monitor", "nobody"], "no peer nobody: there are max, strict, ear"),
        (["monitor", "--filter", "/a["], 'is no pattern: "[" without "]"'),
        (["push", "nobody"], "no peer nobody: there are max, strict, ear"),
        (["push", "maxx"], "no peer maxx: did you mean max?"),
        (["push", "ear"], "ear cannot be sent anything: its table in the configuration says nowhere to"),
        (["send", "nobody", "/x"], "no peer nobody"),
        (["send", "max", "x"], "x is no address: it starts with /"),
        (["send", "max", "/x", "1", "--types", "q"], "there is no type tag 'q'"),
        (["send", "127.0.0.1:99999", "/x"], "port must be 1–65535"),
        (["learn", "nobody"], "no peer nobody: there are max, strict, ear"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(daemon: Daemon, shell: Shell, args: list[str], said: str) -> None:
    code, out, err = shell.ask(daemon, *args)
    assert (code, out) == (1, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("args", [["push", "max"], ["learn"], ["send", "max", "/x"], ["monitor"]])
def test_without_a_daemon_one_line_says_so(shell: Shell, args: list[str]) -> None:
    code, _, err = shell.run(*args, "--url", f"127.0.0.1:{free_tcp_port()}")
    assert code == 1
    assert "no stagebridge is running at" in err
    assert len(err.splitlines()) == 1


# send


def test_send_infers_types_and_takes_them(max_: Max, shell: Shell) -> None:
    target = max_.shown
    assert shell.run("send", target, "/x", "7", "-0.5", "true", "two words", "--wait", "0") == (0, "", "")
    assert max_.hear() == Message("/x", (7, -0.5, True, "two words"))
    shell.run("send", target, "/x", "7", "7", "7", "--types", "fsiT", "--wait", "0")
    assert max_.hear() == Message("/x", (7.0, "7", 7, True))


def test_send_prints_what_is_answered(max_: Max) -> None:
    sock = max_.sock
    with started("send", max_.shown, "/info", "--wait", "0.5") as process:
        data, asker = sock.recvfrom(65_536)
        while decode(data) != Message("/info"):  # what the daemon had still to tell it, after another test
            data, asker = sock.recvfrom(65_536)
        sock.sendto(encode_message("/info", ("X32", 4.06, b"\x00\xff"), ALL), asker)
        out, err = process.communicate(timeout=SOON_S)
    assert (out, err) == ('/info ,sfb X32 4.06 "00 ff"\n', "")


def test_send_says_that_nobody_listens(shell: Shell) -> None:
    port = free_udp_port()
    said = f"stagebridge: host is up but nobody listens on UDP {port}"
    assert shell.run("send", f"127.0.0.1:{port}", "/x", "1", "--wait", "2") == (1, "", said)


def test_send_to_a_peer_goes_the_way_of_the_peer(daemon: Daemon, max_: Max, shell: Shell) -> None:
    assert shell.ask(daemon, "send", "max", "/any/where", "007", "0.1", "true", "x") == (0, "", "")
    sent = max_.hear()
    assert isinstance(sent, Message)
    assert sent.args == (7, pytest.approx(0.1), True, "x")
    assert shell.ask(daemon, "send", "max", "/any", "00ff", "#ff8800", "2", "--types", "br[i]N") == (0, "", "")
    sent = max_.hear()
    assert sent == Message("/any", (b"\x00\xff", (255, 136, 0, 255), (2,), None))


# push


def test_push_sends_a_peer_every_value(daemon: Daemon, max_: Max, shell: Shell) -> None:
    daemon.request("PUT", "/api/controls/level", {"value": 0.125})
    assert max_.hear() == Message("/level", (0.125,))
    code, out, err = shell.ask(daemon, "push", "max")
    assert (code, out) == (0, "")
    assert "on the way to max" in err
    heard: list[Any] = [max_.hear()]
    assert Message("/level", (0.125,)) in heard


# learn


def test_learn_prints_a_configuration(tmp_path: Path, shell: Shell) -> None:
    program = Max()
    learned = tmp_path / "state" / "stagebridge" / "learned.toml"
    learned.parent.mkdir(parents=True)
    learned.write_text('[[control]]\npath = "/gain"\n[[control.midi.nano]]\ncc14 = 7\n')
    nano = '[[midi]]\nname = "nano"\ndevice = "nano"\n'
    with program.sock, Daemon.start(program.config + nano, tmp_path) as daemon:
        code, out, err = shell.ask(daemon, "learn", "max")
        assert (code, out) == (0, "")
        assert "nothing is learnt" in err
        assert shell.ask(daemon, "learn", "nano") == (0, learned.read_text(), "")
        bound = [{"path": "/gain", "midi": {"nano": [{"cc14": 7}]}}]
        assert json.loads(shell.ask(daemon, "learn", "--json")[1]) == bound
        for address, *args in (
            ("/1/fader1", 0.5), ("/1/note", 64), ("/gain", -20.0), ("/xyz", 0.1, 0.2, 0.3), ("/on", True),
            ("/name", 'say "hi"\\'), ("/bang",),
        ):  # fmt: skip
            program.say(encode_message(address, args, ALL))
        program.say(encode_message("/own", (1,)), "strict")
        deadline = time.monotonic() + SOON_S
        while daemon.request("GET", "/api/controls/own")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        code, learnt, err = shell.ask(daemon, "learn")
        assert (code, err) == (0, "")
        (_, mine, _) = shell.ask(daemon, "learn", "max")
        before = {c["path"]: c for c in daemon.request("GET", "/api/controls")[1]["controls"]}
    assert "/own" in learnt
    assert "/own" not in mine
    (tmp_path / "mine.toml").write_text(mine)
    assert shell.run("check", str(tmp_path / "mine.toml"))[1].endswith("no mistakes; 7 controls, 0 peers\n")
    whole = tmp_path / "whole.toml"
    whole.write_text(program.config + nano + learnt)
    assert shell.run("check", str(whole))[0] == 0
    made = load(whole, KINDS)
    assert [page.name for page in made.surface.pages] == ["Main", "Learnt"]
    bindings = {peer.name: set(peer.bindings) for peer in made.peers}
    assert bindings == {
        "max": set(),
        "strict": {"/own"},
        "ear": set(),
        "nano": {"/gain"},
    }  # who mirrors needs no binding
    after = {control.path: control.describe() for control in made.controls}
    for path, control in before.items():
        if control.get("owner") == "learn":
            for field in ("kind", "range", "size", "label"):
                assert after[path].get(field) == control.get(field), path


# The text of a line


def test_a_line_is_read_at_a_glance() -> None:
    line = {"time": 10.25, "way": "out", "port": "osc", "peer": "max", "where": "h:1", "size": 8, "address": "/a"}
    assert line_text(line).partition(" ")[2] == "max → h:1 /a (no type tags)"
    midi = {**line, "port": "midi", "address": "/cc/1/7", "args": [64]}
    assert line_text(midi).partition(" ")[2] == "max → h:1 /cc/1/7 64"
    args = [1.5, True, None, "", "a b", "x", [1, ["y"]]]
    text = line_text({**line, "types": ",fTNsss[i[s]]", "args": args, "more": 3, "note": "no such control"})
    assert text.endswith('/a ,fTNsss[i[s]] 1.5 on nil "" "a b" x [1 [y]] … 3 more – no such control')
    late = line_text({**line, "types": ",", "bundle": {"number": 4, "at": 10.75}})
    assert late.endswith("/a , (bundle 4, for +0.500 s)")
    evil = line_text({**line, "address": "/\x1b[2J", "types": ","})
    assert "\x1b" not in evil
    stranger = line_text({**{k: v for k, v in line.items() if k != "address"}, "peer": "", "way": "in"})
    assert stranger.partition(" ")[2] == "? ← h:1 8 bytes"
