"""Programs and ports of this machine that the tests use.

In CI (`CI=true`) a missing test peer is a failure, so that nothing is silently untested; elsewhere it is a skip that
says what to install.
"""

import fcntl
import os
import random
import shutil
import socket
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

NEVER_GIVEN_OUT = range(20_000, 32_000)
"""Below what the system gives to who asks for port 0 (32768 and up; above 49151 elsewhere): nobody takes one of these
between our look and its use."""
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


def missing(reason: str) -> NoReturn:
    """Skip this test because a test peer is missing; in CI fail."""
    if IN_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require_tool(*names: str, package: str) -> str:
    """The path of the first of these commands that is installed; else skip, or in CI fail. Debian `package` has it."""
    for name in names:
        if path := shutil.which(name):
            return path
    missing(f"{' or '.join(names)} is not installed: sudo apt install --no-install-recommends {package}")


CHROMIUM_MAY = ["screen-wake-lock"]
"""What Chromium grants a page without asking; its headless shell denies what a context is not given."""


def require_chromium() -> str:
    """The path of Chromium, its headless shell first: the same engine for half the CPU. ``$CHROMIUM`` is another."""
    return os.environ.get("CHROMIUM") or require_tool(
        "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", package="chromium-headless-shell"
    )


def require_node(*modules: str) -> str:
    """The path of node, with these packages of tests/package.json; else skip, or in CI fail."""
    node = require_tool("node", package="nodejs")
    for name in modules:
        if not (Path(__file__).parent / "node_modules" / name).is_dir():
            missing(f"npm's {name} is not installed: make tests/node_modules/.ready")
    return node


def free_udp_port() -> int:
    """A UDP port of 127.0.0.1 that was free a moment ago."""
    return _free_port(socket.SOCK_DGRAM)


def free_tcp_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago; port 0 is better where the program says what it got."""
    return _free_port(socket.SOCK_STREAM)


_given: set[int] = set()


def _free_port(kind: socket.SocketKind) -> int:
    while True:
        port = random.SystemRandom().choice(NEVER_GIVEN_OUT)  # hypothesis seeds the others
        with socket.socket(socket.AF_INET, kind) as sock, suppress(OSError):
            if port not in _given:
                fcntl.lockf(_ports_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)  # until this process ends
                sock.bind(("127.0.0.1", port))
                _given.add(port)
                return port


@cache
def _ports_file() -> int:
    """Each byte is a port, locked by whoever of those that run tests at the same time gives it to its own."""
    path = Path(tempfile.gettempdir()) / f"stagebridge-tests-{os.getuid()}.ports"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
