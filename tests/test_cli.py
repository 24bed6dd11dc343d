"""The command as a shell sees it: real processes, their output and exit codes, against a real daemon."""

import itertools
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from bridge import __version__, cli, remote
from bridge.cli.controls import path_filter
from bridge.errors import RemoteError
from tests.daemon import ROOT, Daemon, DaemonError
from tests.peers import free_tcp_port, free_udp_port
from tests.waiting import SOON_S

CONFIG = """
[[osc]]
name = "max"
listen = "127.0.0.1:{listen}"
send = ["127.0.0.1:{send}"]

[[control]]
path = "/tempo"
range = [20, 300]
default = 120

[[control]]
path = "/mixer/1/volume"
limit = [0, 0.75]
[[control]]
path = "/mixer/1/mute"
kind = "bool"
[[control]]
path = "/mixer/1/meter"
kind = "meter"
[[control]]
path = "/wave"
choices = ["sine", "saw"]
[[control]]
path = "/cue"
kind = "string"
[[control]]
path = "/light"
kind = "color"
[[control]]
path = "/steps"
kind = "int"
[[control]]
path = "/xy"
kind = "vector"
[[control]]
path = "/go"
kind = "trigger"
[[control]]
path = "/shown"
access = "read"
"""


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "bridge", *args]


def environment(**more: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("STAGEBRIDGE_")}
    return {**env, "PYTHONPATH": str(ROOT), **more}


def run(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20, check=False, cwd=cwd,
        env=environment(**env),
    )  # fmt: skip


@contextmanager
def started(*args: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on by itself; it is ended with the block."""
    process = subprocess.Popen(
        command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=cwd
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def config() -> str:
    return CONFIG.format(listen=free_udp_port(), send=free_udp_port())


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    tmp_path = tmp_path_factory.mktemp("daemon")
    with Daemon.start(config(), tmp_path) as running:
        yield running


def ask(daemon: Daemon, *args: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command about this daemon, through its socket."""
    answer = run(*args, "--port", str(daemon.http_port), **daemon.home)
    return answer.returncode, answer.stdout.strip(), answer.stderr.strip()


# get and set


@pytest.mark.parametrize(
    ("path", "words", "shown", "value"),
    [
        ("/tempo", ["97.5"], "97.5", 97.5),
        ("/mixer/1/mute", ["on"], "on", True),
        ("/mixer/1/mute", ["0"], "off", False),
        ("/wave", ["saw"], "saw", "saw"),
        ("/wave", ["0"], "sine", "sine"),
        ("/cue", ["Act", "two"], "Act two", "Act two"),
        ("/cue", [""], "", ""),
        ("/light", ["#ff8800"], "#ff8800", "#ff8800"),
        ("/steps", ["0x10"], "16", 16),
        ("/xy", ["0.25", "0.5"], "0.25 0.5", [0.25, 0.5]),
        ("/xy", ["-", "0.75"], "0.25 0.75", [0.25, 0.75]),
        ("/xy", ["[0.1,0.2]"], "0.1 0.2", [0.1, 0.2]),
        ("tempo", ["120"], "120", 120.0),
    ],
)
def test_what_is_set_is_what_get_prints(daemon: Daemon, path: str, words: list[str], shown: str, value: object) -> None:
    assert ask(daemon, "set", path, *words) == (0, "", "")
    assert ask(daemon, "get", path) == (0, shown, "")
    code, out, _ = ask(daemon, "get", "--json", path)
    assert code == 0
    assert json.loads(out)["value"] == value
    assert daemon.value("/" + path.lstrip("/")) == value


def test_a_negative_value_is_no_option(daemon: Daemon) -> None:
    assert ask(daemon, "set", "/tempo", "-5") == (0, "", "stagebridge: /tempo is now 20")


def test_a_value_that_was_limited_is_said_so(daemon: Daemon) -> None:
    assert ask(daemon, "set", "/mixer/1/volume", "1") == (0, "", "stagebridge: /mixer/1/volume is now 0.75")
    code, out, _ = ask(daemon, "set", "--json", "/mixer/1/volume", "1")
    assert (code, json.loads(out)) == (0, {"path": "/mixer/1/volume", "value": 0.75})


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["get", "/tempi"], "no control /tempi: did you mean /tempo?"),
        (["set", "/tempi", "1"], "no control /tempi: did you mean /tempo?"),
        (["watch", "/tempi"], "no control /tempi: did you mean /tempo?"),
        (["watch", "/[a"], '/[a is no pattern: "[" without "]"'),
        (["set", "/tempo", "fast"], "/tempo takes a number, not 'fast'"),
        (["set", "/tempo", "nan"], "/tempo takes a number, not 'nan'"),
        (["set", "/tempo"], "/tempo needs a value: a number"),
        (["set", "/tempo", ""], "/tempo takes a number, not ''"),
        (["set", "/cue"], '/cue needs a value: text, "" for none'),
        (["set", "/wave"], "/wave needs a value: one of sine, saw, or its index from 0"),
        (["set", "/wave", "2"], "/wave: '2' is none of sine, saw"),
        (["set", "/mixer/1/mute", "maybe"], "/mixer/1/mute takes on or off, not 'maybe'"),
        (["set", "/steps", "1.5"], "/steps takes a whole number, not '1.5'"),
        (["set", "/wave", "sow"], "/wave: 'sow' is none of sine, saw"),
        (["set", "/shown", "1"], "/shown is only shown"),
        (["get", "/go"], "/go is a trigger, it has no value"),
        (["get", "/mixer/1/meter"], "/mixer/1/meter has shown nothing yet"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(daemon: Daemon, args: list[str], said: str) -> None:
    assert ask(daemon, *args) == (1, "", f"stagebridge: {said}")


def test_what_pages_have_declared_can_be_removed_and_nothing_else(daemon: Daemon) -> None:
    with connect(daemon.ws_url, proxy=None) as page:
        page.send(json.dumps({"type": "hello"}))
        page.send(json.dumps({"type": "declare", "controls": [{"path": path} for path in ("/guest/1", "/guest/2")]}))
        page.send(json.dumps({"type": "set", "n": 1, "values": []}))
        while json.loads(page.recv(SOON_S))["type"] != "applied":
            pass
    assert ask(daemon, "forget", "/tempo") == (1, "", "stagebridge: no control that a page has declared fits /tempo")
    assert ask(daemon, "forget", "/guest") == (0, "", "stagebridge: 2 controls removed")
    assert daemon.request("GET", "/api/controls/guest/1")[0] == 404


def test_panic_is_fired_and_remembered_as_somebodys_doing(daemon: Daemon) -> None:
    assert ask(daemon, "panic") == (0, "", "")
    _, history = daemon.request("GET", "/api/history?path=/stagebridge/panic")
    assert history["records"][0]["origin"]["shown"] == "stagebridge panic"


@pytest.mark.parametrize("args", [["get", "/tempo"], ["set", "/tempo", "1"], ["watch"]])
def test_without_a_daemon_one_line_says_so(args: list[str]) -> None:
    port = free_tcp_port()
    answer = run(*args, "--url", str(port))
    assert (answer.returncode, answer.stdout) == (1, "")
    at = f"http://127.0.0.1:{port}"
    assert (
        answer.stderr
        == f"stagebridge: no stagebridge is running at {at} (is it started there, and is this its address?)\n"
    )
    answer = run(*args, "--port", str(port))
    assert answer.stderr.startswith(f"stagebridge: no stagebridge is running at port {port} (")


def test_another_server_on_the_port_is_no_stagebridge(daemon: Daemon) -> None:
    answer = run("get", "/tempo", "--url", f"{daemon.url}healthz")
    assert answer.returncode == 1
    said = r"stagebridge: what answers at http://\S+/healthz is not stagebridge: it answers HTTP 200\n"
    assert re.fullmatch(said, answer.stderr)


def test_the_url_may_come_from_the_environment(daemon: Daemon) -> None:
    answer = run("get", "/steps", STAGEBRIDGE_URL=daemon.url)
    assert answer.returncode == 0
    assert answer.stdout.strip().isdecimal()


@pytest.mark.parametrize(
    "args", [[], ["fly"], ["get"], ["run", "--port", "http"], ["run", "--port", "70000"], ["get", "/x", "--nope"]]
)
def test_wrong_usage_is_exit_code_2_with_the_usage(args: list[str]) -> None:
    answer = run(*args)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("usage: stagebridge")


def test_the_version_is_printed() -> None:
    assert run("--version").stdout == f"stagebridge {__version__}\n"


# watch


def test_watch_prints_what_changes_and_only_what_was_asked_for(daemon: Daemon) -> None:
    with started("watch", "/{mixer,go}", "--all", "--url", daemon.ws_url) as watch:
        assert watch.stdout is not None
        present = [watch.stdout.readline().split(" ", 1)[1].split()[0] for _ in range(2)]
        assert present == ["/mixer/1/volume", "/mixer/1/mute"]
        ask(daemon, "set", "/tempo", "111")
        ask(daemon, "set", "/mixer/1/volume", "0.123")
        ask(daemon, "set", "/go", "7", "left", "0.5")
        lines = [watch.stdout.readline() for _ in range(2)]
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} /mixer/1/volume 0\.123\n", lines[0])
    assert lines[1].split(" ", 1)[1] == "/go fired 7 left 0.5\n"


def test_watch_says_that_nothing_fits_its_pattern_yet(daemon: Daemon) -> None:
    with started("watch", "/nope/*", "--url", daemon.ws_url) as watch:
        assert watch.stderr is not None
        assert watch.stderr.readline() == "stagebridge: no control fits /nope/* yet\n"
        assert watch.poll() is None  # one may come


def test_an_index_is_taken_where_no_choice_is_called_so() -> None:
    control = {"path": "/n", "kind": "choice", "choices": ["2", "1", "x"]}
    assert [remote.from_words(control, [word]) for word in ("1", "0", "x", "3", "-1", "²")] == [
        "1", "2", "x", "3", "-1", "²"
    ]  # fmt: skip


def test_watch_as_json_is_one_object_a_line(daemon: Daemon) -> None:
    with started("watch", "--json", "/cue", "--all", "--url", daemon.ws_url) as watch:
        assert watch.stdout is not None
        assert json.loads(watch.stdout.readline())["path"] == "/cue"
        ask(daemon, "set", "/cue", "−∞ dB")
        event = json.loads(watch.stdout.readline())
    assert abs(event.pop("time") - time.time()) < 60
    assert event == {"event": "value", "path": "/cue", "value": "−∞ dB"}


def test_watch_shows_the_meters_that_it_is_asked_for(daemon: Daemon) -> None:
    levels = itertools.cycle([-10.0, -20.0])
    port = int(re.findall(r"we listen on UDP (\d+)", daemon.stdout)[0])
    with (
        started("watch", "/mixer/1/meter", "--url", daemon.ws_url) as watch,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        assert watch.stdout is not None
        while not select.select([watch.stdout], [], [], 0.05)[0]:  # the test's time limit ends it
            sock.sendto(b"/mixer/1/meter\0\0,f\0\0" + struct.pack(">f", next(levels)), ("127.0.0.1", port))
        assert re.fullmatch(r"\S+ /mixer/1/meter -[12]0\n", watch.stdout.readline())
    assert ask(daemon, "get", "/mixer/1/meter")[:2] in ((0, "-10"), (0, "-20"))


def test_control_c_ends_watch_quietly_with_130(daemon: Daemon) -> None:
    with started("watch", "--all", "--url", daemon.ws_url) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline()  # it is at work
        watch.send_signal(signal.SIGINT)
        assert watch.wait(5) == 130
        assert watch.stderr is not None
        assert watch.stderr.read() == ""


def test_a_reader_that_goes_ends_watch_quietly(daemon: Daemon) -> None:
    with started("watch", "--all", "--url", daemon.ws_url) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline()
        watch.stdout.close()
        ask(daemon, "set", "/tempo", "30")
        ask(daemon, "set", "/tempo", "31")
        assert watch.wait(5) == cli.BROKEN_PIPE
        assert watch.stderr is not None
        assert watch.stderr.read() == ""


def test_watch_says_that_the_daemon_has_stopped(tmp_path: Path) -> None:
    with Daemon.start(config(), tmp_path) as daemon, started("watch", "--all", "--url", daemon.ws_url) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline()
        daemon.stop()
        assert watch.wait(5) == 1
        assert watch.stderr is not None
        assert watch.stderr.read().startswith(f"stagebridge: the connection to {daemon.url.rstrip('/')} has ended")


# run


def test_run_prints_addresses_peers_and_that_the_door_is_open(tmp_path: Path) -> None:
    text = config()
    listen, send = re.findall(r"127\.0\.0\.1:(\d+)", text)
    with Daemon.start(text, tmp_path) as daemon:
        said = daemon.stdout
    assert said.startswith(f"stagebridge {__version__} on config.toml\n")
    assert f"  http://127.0.0.1:{daemon.http_port}/\n" in said
    assert 'auth mode "open": anyone on this machine can open the page' in said
    assert "[[access]]" not in said
    assert f"max 127.0.0.1:{send}: connecting, never heard; we listen on UDP {listen}\n" in said
    assert "█" not in said, "a QR code is for terminals"
    assert daemon.stderr == ""


def test_run_on_every_network_says_who_can_come_in(tmp_path: Path) -> None:
    with Daemon.start('[[access]]\nname = "Anna"\nrole = "view"\n', tmp_path, "--host", "0.0.0.0") as daemon:
        assert 'auth mode "open": anyone on this network can open the page' in daemon.stdout
        assert "\n[[access]] limits nobody meanwhile: no device is told from another\n" in daemon.stdout
        addresses = re.findall(r"http://([\d.]+):", daemon.stdout)
        assert addresses[-1] == "127.0.0.1"
        assert not [address for address in addresses[:-1] if address.startswith(("127.", "172.17."))]


def said_in_a_terminal(tmp_path: Path, *args: str) -> str:
    """What `run` prints to a person, until it is stopped."""
    leader, follower = pty.openpty()
    said = b""
    try:
        process = subprocess.Popen(
            command("run", "--port", "0", *args), stdout=follower, stderr=follower, cwd=tmp_path, env=environment()
        )
        os.close(follower)
        while b"no peers" not in said:
            said += os.read(leader, 65536)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                said += os.read(leader, 65536)
            except OSError:  # the terminal's last user has gone
                break
        assert process.wait(5) == 0
    finally:
        os.close(leader)
    assert b"Traceback" not in said
    return said.decode()


def test_run_in_a_terminal_gives_this_computer_a_link_and_a_tablet_a_qr_code(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    said = said_in_a_terminal(tmp_path)
    here = re.search(r"this computer, which may do everything: http://127\.0\.0\.1:\d+/pair#code=(\d{6})\r\n", said)
    there = re.search(r"a tablet: scan this, or open http://[\d.]+:\d+/ and type (\d{3} \d{3})\r\n", said)
    assert here is not None
    assert there is not None
    assert here[1] != there[1].replace(" ", "")
    assert "▄" in said
    assert "stagebridge qr" in said


def test_run_in_a_terminal_with_an_open_door_says_so_and_needs_no_code(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    said = said_in_a_terminal(tmp_path, "--auth", "open")
    assert "▄" in said
    assert "code=" not in said
    assert 'auth mode "open": anyone on this network can open the page and move every control' in said


def test_run_on_loopback_in_a_terminal_has_nothing_for_tablets(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    said = said_in_a_terminal(tmp_path, "--host", "127.0.0.1")
    assert "/pair#code=" in said
    assert "the link lets one device in" in said
    assert "tablet" not in said
    assert "▄" not in said


def test_run_without_a_terminal_writes_no_code_anywhere_but_how_to_get_one(tmp_path: Path) -> None:
    with Daemon.start("", tmp_path, "--log-level", "debug", auth=None) as daemon:
        assert daemon.request("GET", "/api/controls")[0] == 401
        assert daemon.request("POST", "/api/pair", {"code": "000000"})[0] == 403
        said = daemon.stdout + daemon.stderr
    assert 'auth mode "token": who was let in comes in; to let another device in: stagebridge qr' in said
    assert not re.search(r"(?<![\d.:])\d{3} ?\d{3}(?![\d.:])", said), said


def test_a_taken_http_port_is_one_line_with_its_holder_and_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = run("run", "--host", "127.0.0.1", "--port", str(port), cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith(f"stagebridge: HTTP port {port} is taken by ")
    assert f"(pid {os.getpid()})" in answer.stderr
    assert f"--port {port + 1}" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_run_gracefully_within_five_seconds(tmp_path: Path, number: signal.Signals) -> None:
    with Daemon.start(config(), tmp_path) as daemon, started("watch", "--url", daemon.ws_url):
        daemon.process.send_signal(number)
        assert daemon.process.wait(5) == 0
        assert "Traceback" not in daemon.stderr


def test_a_second_signal_ends_run_now(tmp_path: Path) -> None:
    # A browser that does not answer the close keeps a graceful stop waiting for a moment.
    with Daemon.start("", tmp_path) as daemon, socket.create_connection(("127.0.0.1", daemon.http_port)) as deaf:
        deaf.sendall(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert b" 101 " in deaf.recv(4096)
        daemon.process.send_signal(signal.SIGTERM)
        deaf.recv(4096)  # its close frame: the stop is under way
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(0.5) == -signal.SIGTERM


def test_run_ignores_a_hang_up_under_nohup(tmp_path: Path) -> None:
    program = ["nohup", sys.executable, "-m", "bridge"]
    with Daemon.start("", tmp_path, program=program) as daemon:
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.request("GET", "/healthz")[0] == 200


def test_a_start_imports_no_other_command_and_leaves_the_environment_as_it_was() -> None:
    program = """
import os, sys
from bridge import cli
from bridge.cli import start
cli._parser("run")
assert "bridge.remote" not in sys.modules and "bridge.cli.doctor" not in sys.modules
os.environ["SSL_CERT_DIR"] = "/mine"
before = dict(os.environ)
with start._without(SSL_CERT_FILE="/dev/null", SSL_CERT_DIR="/dev/null"):
    assert os.environ["SSL_CERT_DIR"] == "/dev/null"
assert dict(os.environ) == before
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_without_a_file_run_uses_config_toml_here_else_the_demo(tmp_path: Path) -> None:
    with Daemon.start(None, tmp_path) as daemon:
        assert daemon.request("GET", "/api/controls/mixer/8/volume")[0] == 200
    (tmp_path / "config.toml").write_text('[[control]]\npath = "/mine"\n')
    with Daemon.start(None, tmp_path) as daemon:
        assert daemon.request("GET", "/api/controls/mine")[0] == 200
        assert daemon.request("GET", "/api/controls/mixer/8/volume")[0] == 404


def test_mistakes_in_the_configuration_keep_run_from_starting(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match=r"(?s)exit code 1.*control\[0\]\.rang"), Daemon.start(WRONG, tmp_path):
        pass


# check and init

WRONG = """\
[[control]]
path = "/a"
rang = [0, 1]

[[control]]
path = "b"

[http]
port = 99999
"""


def test_check_names_every_mistake_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "show.toml").write_text(WRONG)
    answer = run("check", "show.toml", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    lines = answer.stderr.splitlines()
    assert any(line.startswith("show.toml:3: control[0].rang") and "range" in line for line in lines)
    assert any(line.startswith("show.toml:6: control[1].path") for line in lines)
    assert any(line.startswith("show.toml:9: http.port") for line in lines)
    assert lines[-1] == "3 mistakes"


def test_check_as_json_lists_the_mistakes(tmp_path: Path) -> None:
    (tmp_path / "show.toml").write_text(WRONG)
    answer = run("check", "--json", "show.toml", cwd=tmp_path)
    assert answer.returncode == 1
    assert [(mistake["where"], mistake["line"]) for mistake in json.loads(answer.stdout)] == [
        ("control[0].rang", 3),
        ("control[1].path", 6),
        ("http.port", 9),
    ]


def test_check_names_mistakes_in_a_profile_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "synth.toml").write_text("port = 7000\nmirrow = true\n")
    (tmp_path / "show.toml").write_text('[[osc]]\nname = "it"\nprofile = "synth"\nhost = "127.0.0.1"\n')
    answer = run("check", "show.toml", cwd=tmp_path)
    assert answer.stderr.splitlines() == [
        'profiles/synth.toml:2: mirrow = true: unknown key (did you mean "mirror"?)',
        "1 mistake",
    ]
    (mistake,) = json.loads(run("check", "--json", "show.toml", cwd=tmp_path).stdout)
    assert (mistake["file"], mistake["line"], mistake["where"]) == ("profiles/synth.toml", 2, "mirrow")


def test_check_of_a_good_file_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(config())
    answer = run("check", cwd=tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (
        0,
        "config.toml: no mistakes; 11 controls, 1 peer\n",
        "",
    )
    assert json.loads(run("check", "--json", cwd=tmp_path).stdout) == []


def test_check_says_what_of_ones_own_pages_cannot_be_synced(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "three.html").write_text("<input class=sync id=a type=range><input class=sync id=when type=date>")
    (tmp_path / "config.toml").write_text('[http]\npages = "pages"\n')
    answer = run("check", cwd=tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (
        0,
        "config.toml: no mistakes; 0 controls, 0 peers, 1 page of your own\n",
        'three.html: /when: an input of type "date" cannot be synced\n',
    )


def test_check_of_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    answer = run("check", "nope.toml", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "nope.toml" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert run("check", cwd=tmp_path).stderr.startswith("stagebridge: there is no config.toml here")


def test_what_init_writes_is_commented_checks_and_runs(tmp_path: Path) -> None:
    answer = run("init", cwd=tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (
        0,
        "config.toml is written; start with: stagebridge run config.toml\n",
        "",
    )
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert text.count("\n#") > 10
    schema = re.match(r"#:schema (\S+)\n", text)
    assert schema is not None
    assert json.loads((tmp_path / schema[1]).read_text(encoding="utf-8"))["$schema"], "an editor finds it"
    assert run("check", cwd=tmp_path).returncode == 0
    with Daemon.start(None, tmp_path) as daemon:
        assert daemon.request("GET", "/api/controls/mixer/1/volume")[0] == 200
        assert daemon.request("GET", "/pages/sliders.html")[0] == 200


def test_init_never_writes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    answer = run("init", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert (
        answer.stderr
        == "stagebridge: config.toml exists already and is left as it is; another: stagebridge init show.toml\n"
    )
    assert (tmp_path / "config.toml").read_text() == "mine"


def test_init_into_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    answer = run("init", "nowhere/config.toml", cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr == "stagebridge: nowhere/config.toml cannot be written: No such file or directory\n"


# Pure parts


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("8081", "ws://127.0.0.1:8081/ws"),
        ("foh.local", "ws://foh.local:8080/ws"),
        ("192.168.1.10:8081", "ws://192.168.1.10:8081/ws"),
        ("http://192.168.1.10:8081/", "ws://192.168.1.10:8081/ws"),
        ("https://foh.example/", "wss://foh.example/ws"),
        ("ws://[::1]:8080/ws", "ws://[::1]:8080/ws"),
        ("[fd00::2]", "ws://[fd00::2]:8080/ws"),
    ],
)
def test_a_daemon_may_be_named_as_people_do(text: str, url: str) -> None:
    assert remote.full_url(text) == url


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "x:99999", "x:y", "ws://[::1"])
def test_what_is_no_address_of_a_daemon_is_refused(text: str) -> None:
    with pytest.raises(RemoteError, match="is no address of a daemon"):
        remote.full_url(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.6200000047683716, "0.62"),
        (1e-9, "1e-09"),
        (120.0, "120"),
        (True, "on"),
        (7, "7"),
        ([0.5, 1.0], "0.5 1"),
        ("x y", "x y"),
    ],
)
def test_values_are_shown_as_precisely_as_osc_carries_them(value: object, words: str) -> None:
    assert remote.to_words(value) == words


def test_words_of_a_trigger_become_what_they_look_like() -> None:
    assert remote.word_args(["1", "0.5", "true", "left", "-3", "nan"]) == [1, 0.5, True, "left", -3, "nan"]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (None, ["/a", "/a/b"], []),
        ("/mixer", ["/mixer", "/mixer/1/volume"], ["/mixers", "/a/mixer"]),
        ("mixer/", ["/mixer/1"], ["/a"]),
        ("/mixer/*", ["/mixer/1", "/mixer/1/volume"], ["/mixer"]),
        ("/mixer/{1,2}/volume", ["/mixer/1/volume"], ["/mixer/3/volume", "/mixer/1/pan"]),
        ("//volume", ["/mixer/1/volume", "/volume"], ["/mixer/1/pan"]),
    ],
)
def test_a_pattern_means_what_it_matches_and_what_is_below(pattern: str | None, yes: list[str], no: list[str]) -> None:
    is_wanted = path_filter(pattern)
    assert [path for path in [*yes, *no] if is_wanted(path)] == yes
