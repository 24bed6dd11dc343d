"""A real daemon that reads its configuration anew: by signal, by command, when the file is saved."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.daemon import ROOT, Daemon
from tests.hungfile import hung
from tests.peers import free_udp_port
from tests.test_systemd import Manager, manager
from tests.waiting import SOON_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline, "it has not become so"
        time.sleep(0.02)


def there(daemon: Daemon, path: str) -> bool:
    return bool(daemon.request("GET", f"/api/controls{path}")[0] == 200)


def command(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "bridge", *words, "--url", daemon.url]
    return subprocess.run(line, capture_output=True, text=True, env=env, timeout=20, check=False)


@contextmanager
def sending(port: int, per_s: int) -> Iterator[list[int]]:
    """Rising numbers to /count, so many a second, until the block ends; how many have left."""
    sent, is_over = [0], threading.Event()

    def send() -> None:
        began = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while not is_over.is_set():
                while sent[0] < (time.monotonic() - began) * per_s:
                    message = OscMessageBuilder("/count")
                    message.add_arg(sent[0] + 1)
                    sock.sendto(message.build().dgram, ("127.0.0.1", port))
                    sent[0] += 1
                is_over.wait(0.001)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        is_over.set()
        thread.join()


def test_a_signal_under_load_loses_no_message_and_tells_the_service_manager(tmp_path: Path) -> None:
    listen, ear = free_udp_port(), free_udp_port()
    config = f"""
[[osc]]
name = "counter"
listen = "127.0.0.1:{listen}"
flood = 100000
[[osc]]
name = "other"
send = ["127.0.0.1:{ear}"]
[[control]]
path = "/count"
kind = "int"
range = [0, 1000000]
"""
    more = "".join(f'[[control]]\npath = "/more/{n}"\n' for n in range(50))
    address = f"@stagebridge-reload-{os.getpid()}"
    with manager(address) as systemd, _daemon(config, tmp_path, {"NOTIFY_SOCKET": address}) as daemon:
        file = tmp_path / "config.toml"
        with sending(listen, 1000) as sent:
            until(lambda: bool(daemon.value("/count")))
            for changed in (config + more, config.replace(str(ear), str(free_udp_port())), config + more):
                systemd.drain()
                file.write_text(changed)
                daemon.process.send_signal(signal.SIGHUP)
                _reloaded(systemd)
            assert there(daemon, "/more/49")
        until(lambda: bool(daemon.value("/count") == sent[0]))
        (peer,) = [peer for peer in daemon.request("GET", "/healthz")[1]["peers"] if peer["name"] == "counter"]
        assert peer["received"] == sent[0]
        assert daemon.stderr.count("reloaded: ") == 3

        systemd.drain()
        file.write_text(config + "[[control]]\n")
        daemon.process.send_signal(signal.SIGHUP)
        _reloaded(systemd)
        assert "what was there before runs on: config.toml:" in daemon.value("/stagebridge/config")
        assert there(daemon, "/more/49")
    kept = [copy.read_text() for copy in (tmp_path / "state/stagebridge/last-good").glob("*/*/config.toml")]
    assert kept == [config + more], "a start after this begins with what was good last"


def _reloaded(systemd: Manager) -> None:
    heard = systemd.hear_until("RELOADING", "1")
    assert heard[-1]["MONOTONIC_USEC"].isdecimal()
    assert abs(int(heard[-1]["MONOTONIC_USEC"]) / 1e6 - time.monotonic()) < SOON_S
    systemd.hear_until("READY", "1")


@contextmanager
def _daemon(config: str, tmp_path: Path, env: dict[str, str]) -> Iterator[Daemon]:
    with Daemon.start(config, tmp_path, "--last-good", env=env) as daemon:
        yield daemon


def test_a_command_says_what_has_changed_and_every_mistake(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    with Daemon.start('[[control]]\npath = "/a"\n', tmp_path) as daemon:
        file.write_text('[[control]]\npath = "/a"\n[[control]]\npath = "/b"\n')
        done = command(daemon, "reload")
        assert (done.returncode, done.stdout) == (0, "1 control added: /b\nchanged: what stands where\n")
        assert there(daemon, "/b")
        file.write_text('[[control]]\npath = "b"\n[[control]]\nrange = [1, 0]\n')
        done = command(daemon, "reload")
        assert (done.returncode, done.stdout) == (1, "")
        lines = done.stderr.splitlines()
        assert lines[0].startswith(f"{file}:2: control[0].path")
        assert any(line.startswith(f"{file}:4: control[1].range") for line in lines)
        assert lines[-1] == f"{len(lines) - 1} mistakes: nothing was changed"
        answer = daemon.request("POST", "/api/reload")[1]
        assert (answer["reloaded"], answer["mistakes"][0]["line"]) == (False, 2)
        assert there(daemon, "/b")


def test_a_file_is_read_when_it_is_saved_however_an_editor_does_that(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    one = '[[control]]\npath = "/{}"\n'
    with Daemon.start(one.format("a"), tmp_path, "--watch") as daemon:
        file.write_text(one.format("b"))
        until(lambda: there(daemon, "/b"))
        beside = tmp_path / "config.toml.new"  # another file that takes its name
        beside.write_text(one.format("c"))
        beside.replace(file)
        until(lambda: there(daemon, "/c"))
        file.rename(tmp_path / "config.toml~")  # it is away for a moment
        with file.open("w") as stream:  # and comes in halves
            for part in ("[[control", ']]\npath = "', '/d"\n'):
                stream.write(part)
                stream.flush()
                time.sleep(0.05)  # as an editor that is slow
        until(lambda: there(daemon, "/d"))
        assert "mistake" not in daemon.stderr
        assert daemon.stderr.count("was saved") == daemon.stderr.count("reloaded: ") == 3


def test_a_configuration_that_cannot_be_read_delays_neither_the_next_reload_nor_the_stop(tmp_path: Path) -> None:
    file, one = tmp_path / "config.toml", '[[control]]\npath = "/{}"\n'
    with Daemon.start(one.format("a"), tmp_path, "--watch") as daemon:
        file.unlink()
        os.mkfifo(file)  # which nobody writes to
        until(lambda: "config.toml: is a named pipe, not a file" in daemon.stderr)
        assert "is a named pipe, not a file" in daemon.value("/stagebridge/config")
        file.unlink()
        file.write_text(one.format("b"))
        until(lambda: there(daemon, "/b"))
        with hung(file) as until_tried:
            daemon.process.send_signal(signal.SIGHUP)
            until_tried()
            began = time.monotonic()
            daemon.stop()
            assert time.monotonic() - began < 2.0, "it has waited for the disk"


def test_a_hang_up_ends_nothing_however_early_or_late_it_comes(tmp_path: Path) -> None:
    with Daemon.start('[[control]]\npath = "/a"\n', tmp_path, program=(sys.executable, "-c", _HUNG_UP)) as daemon:
        until(lambda: "reloaded: nothing has changed" in daemon.stderr)
        daemon.stop()
        assert daemon.stderr.count("reloaded: ") == 1


_HUNG_UP = """
import atexit, os, signal, sys
def on_event(event, args):
    if event == "import" and args[0] in ("bridge.cli", "bridge.app", "uvloop"):
        os.kill(os.getpid(), signal.SIGHUP)
sys.addaudithook(on_event)
atexit.register(os.kill, os.getpid(), signal.SIGHUP)
from bridge.__main__ import main
sys.exit(main())
"""


def test_a_hang_up_ends_what_ran_in_a_terminal_that_is_gone(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    program = (sys.executable, "-c", f"import os\nos.dup2({follower}, 0)\n{_MAIN}")
    with Daemon.start('[[control]]\npath = "/a"\n', tmp_path, program=program, fds=(follower,)) as daemon:
        os.close(follower)
        daemon.process.send_signal(signal.SIGHUP)  # somebody asks for a reload
        until(lambda: "reloaded: nothing has changed" in daemon.stderr)
        os.close(leader)
        daemon.process.send_signal(signal.SIGHUP)  # the terminal's
        assert daemon.process.wait(5) == 0


_MAIN = "import sys\nfrom bridge.cli import main\nsys.exit(main())"
