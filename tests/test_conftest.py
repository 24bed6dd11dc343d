"""The guards of conftest.py, seen to work: a guard that cannot fail would be worse than none."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon import ROOT

HEAD = "import asyncio, socket, threading, time, warnings\nkept = []\n"
TRANSPORT = """
async def test_it():
    loop, local = asyncio.get_running_loop(), ("127.0.0.1", 0)
    kept.append(await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local))
"""
LEAKS = {
    "a task": ("async def test_it(): kept.append(asyncio.create_task(asyncio.sleep(60)))", "tasks left behind"),
    "a socket": ("async def test_it(): kept.append(socket.socket())", "left behind by this test: socket"),
    "a socket without a loop": ("def test_it(): kept.append(socket.socket())", "left behind by this test: socket"),
    "a thread": (
        "def test_it():\n    threading.Thread(target=time.sleep, args=(60,), name='worker', daemon=True).start()",
        "left behind by this test: thread worker",
    ),
    "a dropped socket": ("def test_it(): socket.socket()", "unclosed <socket.socket"),
    "a warning": ("def test_it(): warnings.warn('old')", "UserWarning: old"),
    "a transport": (TRANSPORT, "left behind by this test: socket"),
    "the blocked loop": (
        "from bridge import net\nasync def test_it(): net.lan_addresses()",
        "BlockingError",
    ),
    "an endless test": ("import pytest\n@pytest.mark.timeout(0.3)\ndef test_it(): time.sleep(20)", "Timeout"),
}


def pytest_of(test: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(HEAD + test + "\n")
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", folder, "-q"),
            *("-p", "tests.conftest", "-p", "no:cacheprovider", folder / "test_it.py"),
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=25,
    )  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
def test_a_test_that_leaves_or_does_this_is_red(leak: str, tmp_path: Path) -> None:
    test, said = LEAKS[leak]
    answer = pytest_of(test, tmp_path)
    assert answer.returncode == 1, answer.stdout
    assert said in answer.stdout


def test_a_clean_test_is_green(tmp_path: Path) -> None:
    clean = (
        "async def test_it():\n    await asyncio.to_thread(time.sleep, 0.001)\n"
        "    task = asyncio.create_task(asyncio.sleep(0.01))\n"
        "    with socket.socket(): pass\n"
    )
    answer = pytest_of(clean, tmp_path)
    assert answer.returncode == 0, answer.stdout
