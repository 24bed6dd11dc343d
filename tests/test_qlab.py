"""QLab, over TCP and over UDP: it is greeted, moved and heard, and greeted again when it comes back."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from .fakes.qlab import WORKSPACE, QLab, opened_workspace
from .peers import free_udp_port
from .programs import Page
from .test_profile_examples import EXAMPLES

LOOPS = {"uvloop": uvloop.new_event_loop}  # as the daemon has it

CONFIG = f"""
    [[osc]]
    name = "qlab"
    profile = "qlab"
    host = "127.0.0.1"
    %s
    [[control]]
    path = "/rain/level"
    range = [-60, 12]
    osc.qlab = {{ address = "/cue/1/sliderLevel/0" }}
    [[control]]
    path = "/rain/start"
    kind = "trigger"
    osc.qlab = {{ address = "/cue/1/start", args = [] }}
    [[control]]
    path = "/rain/changed"
    kind = "trigger"
    osc.qlab = {{ address = "/update/workspace/{WORKSPACE}/cue_id/1", direction = "in" }}
    [[control]]
    path = "/rain/name"
    kind = "string"
    osc.qlab = {{ address = "/reply/cue/1/name", direction = "in" }}
    [[control]]
    path = "/unbound"
    """


def cues() -> dict[str, dict[str, Any]]:
    return {"1": {"name": "Rain", "sliderLevel/0": -12.0}}


async def is_greeted(qlab: QLab) -> None:
    """It has let us in, and tells us what changes."""
    await qlab.reaches(lambda: any(client.is_let_in and client.wants_updates for client in qlab.clients))


@pytest.fixture(params=["tcp", "udp"])
async def qlab(request: pytest.FixtureRequest) -> AsyncIterator[tuple[QLab, str]]:
    """QLab and the settings that reach it."""
    async with opened_workspace(cues(), "1234", free_udp_port(), forget_udp_s=1.0) as one:
        settings = f"""
            port = {one.port}
            hello = [["/connect", "1234"], ["/updates", 1], ["/cue/1/name"]]
            probe_s = 0.3
            timeout_s = 0.8
            on_connect = "push"
            """
        if request.param == "udp":
            settings += f'transport = "udp"\nlisten = "127.0.0.1:{one.reply_port}"\n'
        yield one, settings


async def test_qlab_is_moved_by_us_and_heard(qlab: tuple[QLab, str], tmp_path: Path) -> None:
    one, settings = qlab
    async with Page.beside(CONFIG % settings, tmp_path) as page:
        await is_greeted(one)
        await page.set("/rain/level", -6)
        await one.reaches(lambda: one.cues["1"]["sliderLevel/0"] == -6.0)
        await page.fire("/rain/start")
        await one.reaches(lambda: one.started == ["1"])
        await page.comes_to("/rain/name", lambda text: text != "")
        assert json.loads(page.values["/rain/name"])["data"] == "Rain"
        page.fired.clear()
        one.change("1", "name", "Storm")
        await page.hears("/rain/changed")
        await page.set("/unbound", 1.0)
        await page.set("/rain/level", 0)
        await one.reaches(lambda: one.cues["1"]["sliderLevel/0"] == 0.0)
        assert not [address for address, _ in one.heard if "unbound" in address]


async def test_a_qlab_that_was_quit_is_greeted_again_and_told_what_holds(
    qlab: tuple[QLab, str], tmp_path: Path
) -> None:
    one, settings = qlab
    async with Page.beside(CONFIG % settings, tmp_path) as page:
        await is_greeted(one)
        await one.quit()
        await page.comes_to("/stagebridge/peers/qlab", lambda text: "heard" not in text or "nobody" in text)
        await page.set("/rain/level", -3)
        await page.fire("/rain/start")
        one.heard.clear()
        await one.open()
        await is_greeted(one)
        await one.reaches(lambda: one.cues["1"]["sliderLevel/0"] == -3.0)
        assert ("/connect", ("1234",)) in one.heard
        one.change("1", "name", "Storm")
        await page.hears("/rain/changed")
        assert one.started == []  # an old gesture


async def test_over_udp_it_does_not_forget_us_while_nothing_moves(tmp_path: Path) -> None:
    async with opened_workspace(cues(), "", free_udp_port(), forget_udp_s=0.6) as one:
        settings = f"""
            port = {one.port}
            transport = "udp"
            listen = "127.0.0.1:{one.reply_port}"
            probe_s = 0.2
            timeout_s = 0.5
            """
        async with Page.beside(CONFIG % settings, tmp_path) as page:
            await is_greeted(one)
            await one.reaches(lambda: ("/thump", ()) in one.heard)
            one.heard.clear()
            thumps = 0
            while thumps < 5:
                count = len(one.heard)
                await one.reaches(lambda: len(one.heard) > count)  # noqa: B023
                thumps += one.heard[-1][0] == "/thump"
            one.change("1", "name", "Storm")
            await page.hears("/rain/changed")
            assert {address for address, _ in one.heard} == {"/thump"}


async def test_the_example_of_the_docs_works_with_a_workspace(tmp_path: Path) -> None:
    async with opened_workspace({"10": {"level/0/0": -12.0}}, "1234") as one:
        config = re.sub(r'host = ".*"', f'host = "127.0.0.1"\nport = {one.port}', EXAMPLES["qlab"], count=1)
        async with Page.beside(config, tmp_path) as page:
            await is_greeted(one)
            await page.set("/backing", -6.0)
            await one.reaches(lambda: one.cues["10"]["level/0/0"] == -6.0)
            await page.fire("/go")
            await page.fire("/stop")
            await one.reaches(lambda: one.commands == ["/go", "/panic"])
