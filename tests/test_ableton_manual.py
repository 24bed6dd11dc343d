"""The manual of Live is true: its configurations are accepted, its paths exist, its texts are those that are said."""

import re
import textwrap
from pathlib import Path

import pytest

from bridge import app
from bridge.config.loading import parse
from bridge.drivers.abletonosc import rival, silence
from bridge.osc.fields import SHOWN

from .daemon import ROOT

MANUAL = (ROOT / "docs" / "ableton.md").read_text(encoding="utf-8")
EXAMPLES = [textwrap.dedent(found) for found in re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)]


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_is_a_whole_configuration(text: str, tmp_path: Path) -> None:
    live = next(peer for peer in parse(text, app.KINDS, tmp_path).peers if peer.name == "live")
    assert live.settings.driver == "abletonosc"


def test_it_has_ten_steps_and_names_all_that_can_be_shown() -> None:
    first = MANUAL.partition("\n## What is on the page")[0]
    assert [int(number) for number in re.findall(r"^(\d+)\. ", first, re.MULTILINE)] == list(range(1, 11))
    assert f"# of {' '.join(SHOWN)}" in MANUAL


@pytest.mark.parametrize("said", [silence.NOT_CHOSEN, silence.BLOCKED, rival.STOLEN])
def test_what_is_said_of_a_silent_live_is_explained(said: str) -> None:
    assert re.split("[,:;]", said)[0] in MANUAL
