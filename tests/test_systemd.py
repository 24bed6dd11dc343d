"""What the service manager hears of a real daemon, over a real NOTIFY_SOCKET."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bridge.systemd import MAX_STATUS, Notifier
from tests.daemon import Daemon
from tests.peers import free_udp_port
from tests.waiting import SOON_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux")

# Hangs the event loop, not the process: a signal's handler runs on the loop's thread, others go on.
HANGS = "import signal, sys, time; signal.signal(signal.SIGUSR1, lambda *_: time.sleep(1.0))\n"
PROGRAM = (sys.executable, "-c", f"{HANGS}from bridge.cli import main\nsys.exit(main())")


class Manager:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def hear(self, timeout_s: float = SOON_S) -> dict[str, str]:
        """The next datagram. Raises TimeoutError."""
        self.sock.settimeout(timeout_s)
        return dict(line.split("=", 1) for line in self.sock.recv(4096).decode().splitlines())

    def hear_until(self, name: str, part: str, timeout_s: float = SOON_S) -> list[dict[str, str]]:
        """All up to the first whose ``name`` has this part."""
        heard: list[dict[str, str]] = []
        deadline = time.monotonic() + timeout_s
        while part not in (heard[-1].get(name, "\0") if heard else "\0"):
            heard.append(self.hear(max(0.01, deadline - time.monotonic())))
        return heard

    def drain(self) -> int:
        """How many have come, and are thrown away."""
        self.sock.setblocking(False)
        count = 0
        with suppress(BlockingIOError):
            while self.sock.recv(4096):
                count += 1
        return count


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        yield Manager(sock)


def test_a_daemon_is_ready_says_how_it_is_lives_and_stops(tmp_path: Path) -> None:
    address = f"@stagebridge-test-{os.getpid()}"
    config = f'[[osc]]\nname = "desk"\nsend = ["127.0.0.1:{free_udp_port()}"]\n[[control]]\npath = "/a"\n'
    env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    with manager(address) as systemd, Daemon.start(config, tmp_path, "--last-good", env=env, program=PROGRAM) as daemon:
        first = systemd.hear()
        assert first == {"READY": "1", "STATUS": "0 clients; connecting: desk", "WATCHDOG": "1"}
        systemd.drain()  # what came while the daemon was waited for
        began = time.monotonic()
        assert [systemd.hear().get("WATCHDOG") for _ in range(5)] == ["1"] * 5
        assert time.monotonic() - began > 0.3, "half of 200 ms each"
        daemon.request("PUT", "/api/controls/a", {"value": 0.5})  # nobody listens there: ICMP says so
        assert daemon.request("GET", "/healthz")[1]["config"]["trouble"] == ""
        assert daemon.request("GET", "/api/controls/stagebridge/config")[0] == 404
        changed = systemd.hear_until("STATUS", "silent: desk")
        assert changed[-1]["STATUS"].startswith("0 clients; silent: desk")

        systemd.drain()
        daemon.process.send_signal(signal.SIGUSR1)
        with pytest.raises(TimeoutError):  # the first may have been under way
            assert [systemd.hear(0.5), systemd.hear(0.5)] == []
        assert systemd.hear(3.0)["WATCHDOG"] == "1", "it goes on with the loop"

        daemon.process.send_signal(signal.SIGTERM)
        assert systemd.hear_until("STOPPING", "1")[-1]["STATUS"] == "stopping"
        assert daemon.process.wait(5) == 0
    kept = list((tmp_path / "state/stagebridge/last-good").glob("*/*/config.toml"))
    assert [copy.read_text() for copy in kept] == [config]


async def test_a_status_that_changes_is_sent_once_and_stays_one_line(tmp_path: Path) -> None:
    text = "all\nwell"
    with manager(str(tmp_path / "notify")) as systemd:
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000"})
        async with notifier.running(lambda: text):
            assert systemd.hear()["STATUS"] == "all well"
            text = "x" * 1000
            heard = await asyncio.to_thread(systemd.hear_until, "STATUS", "x")
            assert len(heard[-1]["STATUS"]) == MAX_STATUS
            await asyncio.sleep(0.05)
        assert all(set(one) == {"WATCHDOG"} for one in [*heard[:-1], systemd.hear()])


async def test_what_the_manager_could_not_take_is_told_later(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    notifier = Notifier({"NOTIFY_SOCKET": str(path)})
    notifier.tell(READY="1", STATUS="early")
    with manager(str(path)) as systemd:
        notifier.tell(STATUS="late")
        assert systemd.hear() == {"READY": "1", "STATUS": "late"}


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "5000000"}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_whom_it_is_meant_for(environ: dict[str, str], watchdog_s: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/x", **environ}).watchdog_s == watchdog_s


async def test_without_a_manager_nothing_is_told() -> None:
    for environ in ({}, {"WATCHDOG_USEC": "1000"}, {"NOTIFY_SOCKET": "vsock:2:1"}):
        notifier = Notifier(environ)
        assert not notifier.is_wanted
        assert notifier.watchdog_s is None
        async with notifier.running(lambda: pytest.fail("nobody asks")):
            pass
