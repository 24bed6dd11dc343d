"""``stagebridge patch``: Pure Data's in Pure Data, Max's as far as a file can be checked."""

import asyncio
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bridge.app import KINDS
from bridge.config.loading import parse
from bridge.errors import PatchError, UnknownPeer
from bridge.patch import Plan
from bridge.patchmax import max_text
from bridge.patchpd import pd_text
from bridge.patchplan import plan

from .peers import free_udp_port, require_tool
from .programs import Page
from .test_osc import program

DOCS = Path(__file__).resolve().parent.parent / "docs"
LOOPS = {"uvloop": uvloop.new_event_loop}
PEER = """
[[osc]]
name = "{name}"
profile = "{program}"
host = "127.0.0.1"
port = {its_port}
listen = "127.0.0.1:{our_port}"
"""
KINDS_OF = {
    "/cutoff": ("range = [20, 20000]", 880.0, "range = [20, 20000]"),
    "/mixer/1/volume": ('range = [-90, 10]\ncurve = "db"', -12.0, 'range = [-90, 10]\ncurve = "db"'),
    "/steps/16": ('kind = "int"', 7, 'kind = "int"'),
    "/mute": ('kind = "bool"', True, 'kind = "bool"'),
    "/wave": ('choices = ["sine", "saw", "big square"]', "big square", 'choices = ["sine", "saw", "big square"]'),
    "/cue": ('kind = "string"', "Act 2; scene 1, dark", 'kind = "string"'),
    "/wash": ('kind = "color"', "#ff8000", 'kind = "color"'),
    "/xy": ('kind = "vector"', [0.25, 0.75], 'kind = "vector"'),
    "/go": ('kind = "trigger"', None, 'kind = "trigger"'),
    "/filter": (
        'osc.show = { address = "/track/filter", reply = "/track/said/filter", args = [3, "lp"], range = [0, 127] }',
        1.0,
        'osc.show = { address = "/track/filter", args = [4, "lp", "{value}", 2] }',
    ),
    "/shape": (
        'choices = ["round", "square"]\nosc.show = { as = "text" }',
        "square",
        'choices = ["round", "square"]\nosc.show = { as = "text" }',
    ),
}
"""Controls, a value of each, and the same kind of control that the patch of the test moves by it."""


def made(config: str, program: str = "pd", **options: Any) -> Plan:
    return plan(parse(config, KINDS), program, **options)


def everything(program: str, its_port: int = 9001, our_port: int = 9000) -> str:
    config = PEER.format(name="show", program=program, its_port=its_port, our_port=our_port)
    for path, (keys, _, heard_keys) in KINDS_OF.items():
        config += f'[[control]]\npath = "{path}"\n{keys}\n[[control]]\npath = "/heard{path}"\n{heard_keys}\n'
    return config + '[[control]]\npath = "/level"\nkind = "meter"\nrange = [0, 20000]\n'


def with_probes(patch: str) -> str:
    """What a user adds: each control moves another, and one of them is metered."""
    number = len(re.findall(r"^#X (?!connect)", patch, re.MULTILINE))
    for path, goal in [*((path, f"/heard{path}") for path in KINDS_OF), ("/cutoff", "/level")]:
        patch += f"#X obj 20 20 r {path};\n#X obj 20 20 s set{goal};\n#X connect {number} 0 {number + 1} 0;\n"
        number += 2
    return patch


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_the_pure_data_patch_answers_every_control_and_sends_nothing_back(tmp_path: Path) -> None:
    pd = require_tool("pd", package="puredata-core")
    its_port, our_port = free_udp_port(), free_udp_port()
    config = everything("pd", its_port, our_port)
    patch = tmp_path / "show.pd"
    text = with_probes(pd_text(await asyncio.to_thread(made, config)))
    patch.write_text(text, encoding="utf-8")
    flags = ["-nogui", "-noaudio", "-nomidi", "-nrt", "-noprefs", "-stderr", "-sleepgrain", "1", "-open", str(patch)]
    async with Page.beside(config, tmp_path) as page:
        await page.set("/cutoff", 440)
        async with program(pd, *flags):
            await page.sees("/heard/cutoff", 440)  # nobody has moved it since: the patch has asked
            for path, (_, value, _) in KINDS_OF.items():
                if value is None:
                    await page.fire(path)
                    await page.hears(f"/heard{path}")
                else:
                    await page.set(path, value)
                    await page.sees(f"/heard{path}", value)
            for path, (_, value, _) in KINDS_OF.items():
                assert path == "/cutoff" or [one for one in page.history(path) if one != value] == [], path
            assert page.values["/filter"] == 1.0
            await page.set("/cutoff", 1000)
            await page.sees("/heard/cutoff", 1000)


@pytest.mark.parametrize("program", ["max", "pd"])
def test_every_control_has_a_box_that_is_told_and_tells(program: str) -> None:
    of = made(everything(program), program)
    assert {part.name for part in of.parts} == {*KINDS_OF, *(f"/heard{path}" for path in KINDS_OF), "/level"}
    assert not of.left_out
    assert [part.name for part in of.parts if part.heard is None] == ["/level"]
    assert all(part.said for part in of.parts)


def test_the_max_patch_has_the_documented_form_and_every_cord_ends_at_a_box() -> None:
    patcher = json.loads(max_text(made(everything("max"), "max")))["patcher"]
    assert {"fileversion", "appversion", "rect", "boxes", "lines"} <= patcher.keys()
    boxes = {each["box"]["id"]: each["box"] for each in patcher["boxes"]}
    for box in boxes.values():
        assert len(box.get("outlettype", [])) == box["numoutlets"]
        assert len(box["patching_rect"]) == 4
    goals: dict[str, list[str]] = {}
    for each in patcher["lines"]:
        (source, outlet), (goal, inlet) = each["patchline"]["source"], each["patchline"]["destination"]
        assert outlet < boxes[source]["numoutlets"]
        assert inlet < boxes[goal]["numinlets"]
        goals.setdefault(source, []).append(goal)

    def reaches(source: str) -> set[str]:
        found: set[str] = set()
        ahead = [source]
        while ahead:
            for goal in goals.get(ahead.pop(), []):
                if goal not in found:
                    found.add(goal)
                    ahead.append(goal)
        return {boxes[one].get("text", "") for one in found} | {boxes[one].get("varname", "") for one in found}

    by_text = {box["text"]: number for number, box in boxes.items() if "text" in box}
    assert {"/stagebridge/refresh", "udpsend 127.0.0.1 9000"} <= reaches(by_text["loadbang"])
    assert "udpsend 127.0.0.1 9000" in reaches(by_text["r stagebridge-show"])
    named = {box["varname"]: number for number, box in boxes.items() if "varname" in box}
    shown = reaches(by_text["udpreceive 9001"])
    for path in KINDS_OF:
        if path in ("/xy", "/wash", "/go"):  # of several boxes; and one that says nothing back
            continue
        assert path in shown
        assert "s stagebridge-show" in reaches(named[path])
    classes = {
        path: boxes[named[path]]["maxclass"] for path in ("/cutoff", "/steps/16", "/mute", "/wave", "/cue", "/go")
    }
    assert list(classes.values()) == ["flonum", "number", "toggle", "umenu", "textedit", "button"]
    assert boxes[named["/wave"]]["items"] == ["sine", ",", "saw", ",", "big square"]
    assert (boxes[named["/cutoff"]]["minimum"], boxes[named["/cutoff"]]["maximum"]) == (20.0, 20000.0)
    assert "prepend /track/said/filter 3 lp" in by_text


def test_both_programs_have_the_same_boxes_for_a_control() -> None:
    config = PEER.format(name="show", program="generic", its_port=9001, our_port=9000)
    config += '[[control]]\nrepeat = 20\npath = "/track/{n}"\n'
    pd, of_max = pd_text(made(config)), max_text(made(config, "max"))
    for number in range(1, 21):
        assert len(re.findall(rf"^#X obj \d+ \d+ [rs] (?:set)?/track/{number};", pd, re.MULTILINE)) == 2
        assert len(re.findall(rf'"text": "[rs] (?:set)?/track/{number}"', of_max)) == 2
    assert pd.count("floatatom") == of_max.count('"flonum"') == 20


def test_what_the_program_could_not_read_is_left_out_and_said() -> None:
    config = PEER.format(name="pd", program="pd", its_port=9001, our_port=9000)
    config += """
    [[control]]
    path = "/one"
    osc.pd = { type = "d" }
    [[control]]
    path = "/two"
    osc.pd = { args = [{ s = "7" }] }
    [[control]]
    path = "/three"
    [[control]]
    path = "/four"
    osc.pd = { address = "/three" }
    [[control]]
    path = "/five/$1;2"
    [[control]]
    path = "/six"
    osc.pd = false
    """
    found = made(config)
    assert [part.name for part in found.parts] == ["/three"]
    assert found.left_out == {
        "/one": "it is sent with the type d: the patch reads i, f and s",
        "/two": 'a patch cannot say the text "7": it reads a number',
        "/five/$1;2": "Max and Pd have a meaning of their own for $ and ;",
        "/four": "the peer hears it as it does /three",
    }


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        ("", {}, "no [[osc]] table is Pd"),
        (PEER.format(name="a", program="pd", its_port=1, our_port=0), {}, "a listens on any free port"),
        (PEER.format(name="a", program="pd", its_port=1, our_port=2) + "bundles = true", {}, "a is sent bundles"),
        (PEER.format(name="a", program="pd", its_port=1, our_port=2) + 'transport = "tcp-slip"', {}, "speaks over TCP"),
        ('[[osc]]\nname = "pd"\nlisten = "0.0.0.0:9000"', {}, "pd has no place where it hears us"),
        (
            PEER.format(name="a", program="pd", its_port=1, our_port=2)
            + PEER.format(name="b", program="pd", its_port=1, our_port=3),
            {},
            "--peer a or --peer b",
        ),
    ],
)
def test_a_peer_that_no_patch_can_reach_is_named(config: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PatchError, match=re.escape(message)):
        made(config, **options)


@pytest.mark.parametrize(("program", "suffix", "text"), [("max", "maxpat", max_text), ("pd", "pd", pd_text)])
def test_the_patch_of_the_manual_is_what_its_configuration_makes(
    program: str, suffix: str, text: Callable[[Plan], str]
) -> None:
    page = (DOCS / f"{program}.md").read_text(encoding="utf-8")
    (config,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    of = made(config, program)
    assert [part.name for part in of.parts] == ["/cutoff", "/reverb", "/mute"]
    written = (DOCS / "patches" / f"three.{suffix}").read_text(encoding="utf-8")
    assert written == text(dataclasses.replace(of, host="192.168.1.10"))
    assert len(re.findall(r"^\d+\. ", page, re.MULTILINE)) == 10


def test_the_peer_is_found_by_profile_name_or_because_it_is_the_only_one() -> None:
    both = PEER.format(name="max", program="generic", its_port=1, our_port=2)
    both += PEER.format(name="synth", program="pd", its_port=3, our_port=4)
    assert (made(both).peer, made(both, "max").peer) == ("synth", "max")
    assert made(PEER.format(name="any", program="generic", its_port=1, our_port=2)).peer == "any"
    assert made(both, peer_name="max", host="stage.local").host == "stage.local"
    with pytest.raises(UnknownPeer, match="no \\[\\[osc\\]\\] table has name x: there is max, synth"):
        made(both, peer_name="x")


def test_the_command_writes_the_patch_and_says_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[[osc]]\nname = "pd"\nlisten = "0.0.0.0:9000"\nsend = ["127.0.0.1:9001"]\n'
        '[[control]]\nrepeat = 3\npath = "/slider{n}"\n'
    )
    answer = subprocess.run([sys.executable, "-m", "bridge", "patch", "pd"], cwd=tmp_path, capture_output=True,
                            text=True, check=True, timeout=20)  # fmt: skip
    assert answer.stdout.startswith("#N canvas")
    assert answer.stdout.count("floatatom") == 3
    assert answer.stderr == "stagebridge: 3 boxes for pd; it hears on UDP 9001, and speaks to 127.0.0.1:9000\n"
