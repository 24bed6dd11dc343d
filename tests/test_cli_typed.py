"""What a hint tells somebody to type is something that his shell finds."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.cli.terminal import qr_command, to_same
from bridge.doctor import findings
from bridge.doctorfacts import gather
from bridge.errors import RemoteError
from bridge.remote import Daemon, request
from tests.peers import free_tcp_port


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


@pytest.mark.usefixtures("program")
def test_what_is_to_be_done_is_named_so_too(tmp_path: Path) -> None:
    facts = replace(
        gather(None, {"XDG_STATE_HOME": str(tmp_path)}, None, ""), file="show.toml", mistakes=("no such key",)
    )
    (mistake,) = [found for found in findings(facts) if found.code == "configuration"]
    assert ".venv/bin/stagebridge check show.toml says" in mistake.do
    with pytest.raises(RemoteError, match=r"to start it: \.venv/bin/stagebridge run --port "):
        request(Daemon(free_tcp_port()), "GET", "/healthz")


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
