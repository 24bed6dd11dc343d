"""docs/protocol.md is enough to write a client from: its ten lines are run as they stand there."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from bridge import messages
from tests.daemon import Daemon

DOC = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text(encoding="utf-8")
CONFIG = """
[[control]]
path = "/slider1"
range = [0, 50]

[[control]]
path = "/text"
kind = "string"
default = "hello"
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        yield daemon


def ten_lines() -> str:
    """The document's client, without its last line, which runs it on the default address."""
    (code,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    body, run, _ = code.rpartition("asyncio.run(main())")
    assert run
    return body


def test_the_documents_client_works(daemon: Daemon, tmp_path: Path) -> None:
    script = tmp_path / "client.py"
    script.write_text(f"{ten_lines()}\nasyncio.run(main({daemon.ws_url!r}))\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None
            seen = []
            while "/slider1 12.5" not in seen:
                seen.append(client.stdout.readline().strip())
                assert seen[-1], seen
            assert "/text hello" in seen
            assert daemon.value("/slider1") == 12.5
            daemon.request("PUT", "/api/controls/text", {"value": "again"})
            while seen[-1] != "/text again":
                seen.append(client.stdout.readline().strip())
                assert seen[-1], seen
        finally:
            client.kill()


def test_it_is_ten_lines() -> None:
    lines = [line for line in ten_lines().splitlines() if line.strip() and not line.startswith("import")]
    assert len(lines) <= 10


def test_every_message_and_field_is_described() -> None:
    for message in get_args(messages.Message):
        config = message.__struct_config__
        assert f"`{config.tag}`" in DOC
        for field in msgspec.structs.fields(message):
            assert f"`{field.name}" in DOC, f"{config.tag}.{field.name}"


@pytest.mark.parametrize("source", ["session.py", "messages.py"])
def test_every_error_code_is_listed(source: str) -> None:
    code = (Path(messages.__file__).parent / source).read_text(encoding="utf-8")
    found = set(re.findall(r'ProtocolError\(\s*"([a-z_]+)"', code))
    assert found
    for name in found:
        assert f"`{name}`" in DOC
