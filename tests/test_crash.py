"""The real daemon, killed with SIGKILL at random moments under load, and started again.

`make crashes COUNT=100` for more moments than CI has time for (FROM=7 for others).
"""

import contextlib
import json
import os
import random
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.daemon import Daemon
from tests.peers import free_udp_port
from tests.waiting import SOON_S, until

COUNT = int(os.environ.get("CRASHES", "3"))
SEED = int(os.environ.get("CRASHES_FROM", "1"))
CONTROLS = 40
PROMISE_S = 0.25
SLACK_S = 0.1
"""From a hand's socket to the store, from a thread to the kernel, on a machine that does other things too."""
PAUSE_S = 0.001
"""Between two moves."""
LONGEST_LOAD_S = 0.8
QUIET_S = 0.08
POLICIES = {"hand": "none", "quiet": "none", "loud": "push", "desk": "pull"}
HEAD = """
[[control]]
path = "/fresh"
on_start = "default"
[[control]]
path = "/flash"
kind = "bool"
momentary = true
"""


Move = tuple[float, str, float]
"""When, path, value."""


class Peers:
    """A socket for each peer, which outlives the daemon."""

    def __init__(self) -> None:
        self.sockets = {name: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for name in POLICIES}
        self.listens = {name: free_udp_port() for name in POLICIES}
        for sock in self.sockets.values():
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(QUIET_S)

    def close(self) -> None:
        for sock in self.sockets.values():
            sock.close()

    def config(self) -> str:
        text = HEAD + f'[[control]]\nrepeat = {CONTROLS}\npath = "/c/{{n}}"\nrange = [0, 10000000]\n'
        for name, policy in POLICIES.items():
            port = self.sockets[name].getsockname()[1]
            text += f'[[osc]]\nname = "{name}"\nlisten = "127.0.0.1:{self.listens[name]}"\n'
            text += f'send = ["127.0.0.1:{port}"]\non_connect = "{policy}"\n'
            text += 'query = "address"\n' if policy == "pull" else ""
            text += 'echoes = "no"\n' if name == "hand" else ""  # it never says again what it is told
        return text

    def say(self, name: str, address: str, value: float) -> None:
        message = OscMessageBuilder(address)
        message.add_arg(value)
        self.sockets[name].sendto(message.build().dgram, ("127.0.0.1", self.listens[name]))

    def forget(self) -> None:
        """Nobody says anything now: what has come is old."""
        for sock in self.sockets.values():
            sock.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while sock.recv(65536):
                    pass
            sock.settimeout(QUIET_S)

    def heard(self, name: str) -> list[tuple[str, list[Any]]]:
        """What has come, and comes until nothing does for QUIET_S."""
        found = []
        try:
            while True:
                message = OscMessage(self.sockets[name].recv(65536))
                found.append((message.address, message.params))
        except TimeoutError:
            return found


class Disk(threading.Thread):
    """How long this disk takes for a few bytes, at its slowest: what it does to everybody."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="disk")
        self._path = folder / "beside"
        self.is_over = threading.Event()
        self.slowest_s = 0.0

    def run(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while not self.is_over.wait(0.05):
                began = time.monotonic()
                file.write(bytes(4096))
                os.fsync(file)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)


class Page(threading.Thread):
    """A page that is open until the end. How late moves reach it is what this machine does to the daemon."""

    def __init__(self, socket: ClientConnection, sent_at: dict[float, float]) -> None:
        super().__init__(name="page")
        self._socket = socket
        self._sent_at = sent_at
        self.revision = 1
        self.latest_s = 0.0

    def run(self) -> None:
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            while True:
                message = json.loads(self._socket.recv(timeout=SOON_S))
                self.revision = message.get("rev", self.revision)
                now = time.monotonic()
                for _, value in message.get("values", ()):
                    self.latest_s = max(self.latest_s, now - self._sent_at.get(value, now))


class Load(threading.Thread):
    """A hand that moves all controls by turns, each time higher. ``sent`` are all moves, the desk's too."""

    def __init__(self, peers: Peers, first: int, moves: list[Move], folder: Path) -> None:
        super().__init__(name="load")
        self._peers = peers
        self._is_over = threading.Event()
        self.number = first
        self.sent = moves
        self.disk = Disk(folder)
        self.sent_at: dict[float, float] = {}

    def run(self) -> None:
        self._peers.say("hand", "/fresh", 1.0)
        self._peers.say("hand", "/flash", 1.0)
        while not self._is_over.wait(PAUSE_S):
            self.number += 1
            path = f"/c/{self.number % CONTROLS + 1}"
            self.sent_at[float(self.number)] = time.monotonic()
            self.sent.append((time.monotonic(), path, float(self.number)))
            self._peers.say("hand", path, float(self.number))

    @contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        self.disk.start()
        try:
            yield
        finally:
            self._is_over.set()
            self.disk.is_over.set()
            self.join()
            self.disk.join()


def lost_s(load: Load, killed_at: float, before: dict[str, Any], after: dict[str, Any]) -> float:
    """How long before the end the first move was made of which nothing is left; each value is one that was sent."""
    known = {path: {before[path]} for path in before}
    first_lost = killed_at
    for when, path, value in load.sent:
        known[path].add(value)
        if value > after[path] and when < killed_at:
            first_lost = min(first_lost, when)
    for path, value in after.items():
        assert value in known[path], (path, value)
        assert value >= before[path]
    return killed_at - first_lost


def values_of(daemon: Daemon) -> dict[str, Any]:
    status, answer = daemon.request("GET", "/api/controls")
    assert status == 200
    return {one["path"]: one["value"] for one in answer["controls"] if "value" in one and "/c/" in one["path"]}


def check_file(folder: Path, copy: Path) -> None:
    """What the disk has now is a sound database."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.sock"))  # the command line's, which is no file
    db = sqlite3.connect(copy / "state.db")
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        db.close()


def check_peers(daemon: Daemon, peers: Peers, values: dict[str, Any]) -> list[Move]:
    """Whoever wants it has been told the truth, others that nothing is pressed; a desk's values win: its moves."""
    assert peers.heard("quiet") == [("/flash", [0])]
    told = dict[str, list[Any]]()
    until(lambda: told.update(peers.heard("loud")) or told.keys() >= {*values, "/fresh", "/flash"}, "what loud wants")
    assert {path: told[path] for path in values} == {path: [value] for path, value in values.items()}
    assert (told["/fresh"], told["/flash"]) == ([0.0], [0])
    theirs = {path: value + 0.5 for path, value in values.items()}
    moves: list[Move] = []
    deadline = time.monotonic() + SOON_S
    while values_of(daemon) != theirs:
        assert time.monotonic() < deadline
        for path, params in peers.heard("desk"):
            assert params == [] or path == "/flash"  # questions, and the rest of what must not stick
            if path in theirs:
                peers.say("desk", path, theirs[path])
                moves.append((time.monotonic(), path, theirs[path]))
    return moves


@pytest.mark.timeout(60 + 10 * COUNT)
def test_a_killed_daemon_has_lost_no_more_than_a_quarter_of_a_second(tmp_path: Path) -> None:
    moments = random.Random(SEED)
    losses: list[float] = []
    peers = Peers()
    try:
        kept = {f"/c/{n}": 0.0 for n in range(1, CONTROLS + 1)}
        last: tuple[Load, float] | None = None
        since: list[Any] = ["none", 0]
        slack_s = 0.0
        number = 0
        for moment in range(COUNT + 1):
            peers.forget()
            with Daemon.start(peers.config(), tmp_path, stop=moment == COUNT) as daemon:
                values, moves = values_of(daemon), list[Move]()
                assert daemon.value("/stagebridge/state") == "saved"
                if last is not None:
                    losses.append(lost_s(*last, kept, values))
                    assert losses[-1] < PROMISE_S + slack_s, f"moment {moment} of seed {SEED}"
                    assert (daemon.value("/fresh"), daemon.value("/flash")) == (0.0, False)
                    moves = check_peers(daemon, peers, values)
                kept = values
                with connect(daemon.ws_url, compression=None, proxy=None) as page:
                    page.send(json.dumps({"type": "hello", "keys": "path", "acks": False, "since": since}))
                    welcome = json.loads(page.recv(timeout=SOON_S))
                    assert welcome["resumed"] is False
                    assert values_of(daemon).items() <= dict(welcome["values"]).items()
                    if moment == COUNT:
                        break
                    load = Load(peers, number, moves, tmp_path)
                    reader = Page(page, load.sent_at)
                    reader.start()
                    with load.running():
                        time.sleep(moments.uniform(0.02, LONGEST_LOAD_S))
                        daemon.process.kill()
                        killed_at = time.monotonic()
                        daemon.process.wait()
                    reader.join()
                    since = [welcome["epoch"], reader.revision]
                    slack_s = SLACK_S + 2 * (reader.latest_s + load.disk.slowest_s)
            check_file(tmp_path / "state" / "stagebridge", tmp_path / "copy")
            last, number = (load, killed_at), load.number + 1
    finally:
        peers.close()
    assert len(losses) == COUNT
    print(f"\nlost at {COUNT} moments: {min(losses) * 1000:.0f}…{max(losses) * 1000:.0f} ms")
