"""Whatever an OSC packet says, it moves controls and nothing else: no file, no program, no configuration."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import audited

CONFIG = """
[http]
host = "127.0.0.1"
port = 0

[[osc]]
name = "max"
listen = "127.0.0.1:0"
send = "last"
auto = true

[[osc]]
name = "desk"
profile = "x32"
host = "127.0.0.1"

[[osc]]
name = "live"
profile = "abletonosc"
host = "127.0.0.1"
listen = "127.0.0.1:0"

[[control]]
path = "/x"

[[control]]
path = "/text"
kind = "string"

[[control]]
path = "/go"
kind = "trigger"
"""


def run(folder: Path, count: int) -> dict[str, object]:
    config = folder / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    seed = os.environ.get("FUZZ_SEED", "7")
    command = [sys.executable, "-m", audited.__name__, str(folder), str(config), str(count), seed]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, cwd=Path(__file__).parent.parent
    )
    said: dict[str, object] = json.loads(done.stdout)
    assert config.read_text(encoding="utf-8") == CONFIG
    return said


@pytest.mark.timeout(60)
def test_no_packet_touches_a_file_a_program_or_the_configuration(tmp_path: Path) -> None:
    said = run(tmp_path, 1500)
    assert said["seen"] == []
    assert int(str(said["taken"])) > int(str(said["sent"])) - 200 > 10_000
    assert said["controls"] > 50  # type: ignore[operator]  # so much it may do: what auto = true lets it
    assert not list(tmp_path.rglob("pwned"))
