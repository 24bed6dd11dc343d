"""The patches that come with the manual: Pure Data's, in Pure Data; Max's, as far as a file can be checked."""

import json
from pathlib import Path

import pytest
import uvloop

from bridge.control import Control

from .peers import free_udp_port, require_tool
from .test_osc import Bridge, program

LOOPS = {"uvloop": uvloop.new_event_loop}
PATCHES = Path(__file__).resolve().parent.parent / "docs" / "patches"
PROBES = """\
#X obj 20 500 oscformat /heard;
#X obj 300 500 route poke;
#X connect 4 0 20 0;
#X connect 20 0 11 0;
#X connect 3 0 21 0;
#X connect 21 0 6 0;
"""
"""Say what has come as far as the number box, and move it as a hand would."""


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_the_pure_data_patch_asks_when_it_opens_and_both_hear_each_other(tmp_path: Path) -> None:
    pd = require_tool("pd", package="puredata-core")
    pd_port, our_port = free_udp_port(), free_udp_port()
    text = (PATCHES / "stagebridge.pd").read_text(encoding="utf-8")
    assert (text.count("9001"), text.count("9000"), text.count("#X obj") + text.count("#X msg")) == (1, 1, 16)
    patch = tmp_path / "stagebridge.pd"
    patch.write_text(text.replace("9001", str(pd_port)).replace("9000", str(our_port)) + PROBES, encoding="utf-8")
    bridge = Bridge(
        Control(path="/cutoff", range=(20, 20000), default=440), Control(path="/mute", kind="bool"),
        Control(path="/poke", range=(0, 20000), default=440), Control(path="/heard", range=(0, 20000)),
    )  # fmt: skip
    peer = bridge.peer("pd", listen=f"127.0.0.1:{our_port}", send=[f"127.0.0.1:{pd_port}"])
    flags = ["-nogui", "-noaudio", "-nomidi", "-nrt", "-noprefs", "-stderr", "-sleepgrain", "1", "-open", str(patch)]
    async with bridge.running(peer) as (port,), program(pd, *flags):
        await bridge.reaches("/heard", 440)  # nobody has moved it: the patch has asked
        bridge.set("/cutoff", 880)
        await bridge.reaches("/heard", 880)
        bridge.set("/poke", 1000)
        await bridge.reaches("/cutoff", 1000)
        assert port.health()[0]["loops_cut"] == 0
    moves = [change.value for change in bridge.changes if change.entry.path == "/cutoff" and change.what == "value"]
    assert moves == [880, 1000], "what it is told it does not send back"


def test_the_max_patch_has_the_same_parts_and_every_cord_ends_at_one() -> None:
    patcher = json.loads((PATCHES / "stagebridge.maxpat").read_text(encoding="utf-8"))["patcher"]
    boxes = {each["box"]["id"]: each["box"] for each in patcher["boxes"]}
    for each in patcher["lines"]:
        (source, outlet), (goal, inlet) = each["patchline"]["source"], each["patchline"]["destination"]
        assert outlet < boxes[source]["numoutlets"]
        assert inlet < boxes[goal]["numinlets"]
    texts = {box.get("text") for box in boxes.values()}
    assert {"udpreceive 9001", "udpsend 127.0.0.1 9000", "loadbang", "/stagebridge/refresh", "/cutoff $1"} <= texts
