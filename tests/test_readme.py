"""The README is true: its configuration is accepted, its links lead somewhere, its commands exist, and it is short."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bridge import app
from bridge.config.loading import parse
from bridge.config.settings import HttpSettings
from tests.daemon import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_configuration_is_accepted_as_one_file(tmp_path: Path) -> None:
    text = "\n".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
    settings = parse(text, app.KINDS, tmp_path)
    assert {peer.name for peer in settings.peers} == {"max", "live"}
    assert [control.path for control in settings.controls] == ["/cutoff"]
    live = next(peer for peer in settings.peers if peer.name == "live")
    assert live.settings.driver == "abletonosc"


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_its_links_lead_to_files_of_the_repository(link: str) -> None:
    assert (ROOT / link).is_file()


def test_its_commands_exist() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "bridge", "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"`stagebridge (\w+)", README):
        assert f"\n    {command} " in answer.stdout, command
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile, target


def test_it_names_the_ports_that_a_firewall_must_let_through() -> None:
    text = "\n".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
    tcp = tomllib.loads(text).get("http", {}).get("port", HttpSettings().port)
    assert f"`sudo ufw allow {tcp}/tcp`" in README
    udp = re.findall(r"`sudo ufw allow (\d+)/udp`", README)
    assert [f'listen = "0.0.0.0:{port}"' in README for port in udp] == [True]


def test_it_fits_a_screen_or_two() -> None:
    assert len(README.splitlines()) < 90
