"""A daemon that starts with few descriptors: as many as the limits need, where the system allows it; else a word."""

import errno
import resource
import sys
import threading
from pathlib import Path

import pytest

from bridge.descriptors import make_room

from .daemon import Daemon
from .seccomp import fail_in_this_thread

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2)")
START = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); sys.argv[0] = 'x'; "


def started(tmp_path: Path, soft: int, hard: int) -> tuple[int, str]:
    """The soft limit that it has then, and what it said."""
    code = START.format(soft=soft, hard=hard) + "runpy.run_module('bridge', run_name='__main__')"
    config = "[http]\nannounce = false\ntrust_pages = true\n"
    with Daemon.start(config, tmp_path, program=(sys.executable, "-c", code)) as daemon:
        return resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0], daemon.stderr


def test_as_many_as_the_limits_need(tmp_path: Path) -> None:
    soft, said = started(tmp_path, 256, 4096)
    assert soft == 2500 + 256
    assert "ulimit" not in said
    assert "[http] trust_pages: pages of" in said  # said out loud, too


def test_where_they_do_not_fit_it_is_said(tmp_path: Path) -> None:
    soft, said = started(tmp_path, 256, 1024)
    assert soft == 1024
    assert "[http.limits] connections = 2500 are more than the system lets us have: 1024 files and sockets" in said


def test_a_sandbox_that_does_not_tell_the_limit_stops_nothing() -> None:
    """A system service may not ask (SystemCallFilter=~@resources)."""
    answers: list[str] = []

    def in_the_sandbox() -> None:
        fail_in_this_thread(errno.EPERM, "prlimit64")
        answers.append(make_room(100_000))

    thread = threading.Thread(target=in_the_sandbox)
    thread.start()
    thread.join()
    assert answers == [""]
