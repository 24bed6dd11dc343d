"""What a hint tells somebody to type is something that his shell finds."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest

from bridge.cli.terminal import qr_command, to_same


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command as `make run` leaves it: in a folder that is on no PATH, typed by its relative way."""
    program = tmp_path / ".venv" / "bin" / "stagebridge"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/stagebridge", "run"])
    return program


def test_a_command_on_no_path_is_named_as_it_was_typed(program: Path) -> None:
    assert qr_command(8080) == ".venv/bin/stagebridge qr"
    assert qr_command(8081) == ".venv/bin/stagebridge qr --port 8081"
    assert to_same(Namespace(port=None, url="", token=""), "qr") == ".venv/bin/stagebridge qr"


def test_a_command_on_the_path_has_its_short_name(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert qr_command(8080) == "stagebridge qr"


@pytest.mark.usefixtures("program")
def test_another_program_that_uses_us_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bridge/__main__.py", "run"])
    assert qr_command(8080) == "stagebridge qr"


@pytest.mark.usefixtures("program")
def test_a_way_with_a_space_can_be_typed_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/my show/bin/stagebridge", "run"])
    assert qr_command(8080) == "'/my show/bin/stagebridge' qr"
