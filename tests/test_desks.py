"""Desks, with their habits: an X32 and an X Air that we are one of several subscribers of."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from .fakes.x32 import X32, XAIR, Desk, fader_db, switched_on
from .programs import Page, xair, xair_reads
from .test_profile_examples import EXAMPLES

LOOPS = {"uvloop": uvloop.new_event_loop}  # as the daemon has it
PROFILES = {"x32": X32, "xair": XAIR}

SUBSCRIPTION_S = 1.0  # a tenth of the real one, and so are these
TIMES = "keepalive_s = 0.4\nprobe_s = 0.4\ntimeout_s = 0.9"

CONFIG = """
    [[osc]]
    name = "desk"
    profile = "{profile}"
    host = "127.0.0.1"
    port = {port}
    {times}
    [[control]]
    repeat = 4
    path = "/desk/{{n}}/fader"
    [control.osc.desk]
    address = "/ch/{{n:02}}/mix/fader"
    label = "/ch/{{n:02}}/config/name"
    color = "/ch/{{n:02}}/config/color"
    [[control]]
    path = "/desk/1/on"
    kind = "bool"
    osc.desk = {{ address = "/ch/01/mix/on" }}
    [[control]]
    path = "/desk/2/mute"
    kind = "bool"
    osc.desk = {{ address = "/ch/02/mix/on", range = [1, 0] }}
    [[control]]
    path = "/desk/1/name"
    kind = "string"
    osc.desk = {{ address = "/ch/01/config/name" }}
    [[control]]
    path = "/desk/3/db"                    # the desk's own law, in words of dB
    range = [-90, 10]
    osc.desk = {{ address = "/ch/03/mix/fader", table = [[0, 0], [0.3, 0.0625], [0.6, 0.25], [0.8, 0.5], [1, 1]] }}
    [[control]]
    path = "/desk/4/percent"
    range = [0, 100]
    kind = "int"
    osc.desk = {{ address = "/ch/04/mix/pan", range = [0, 1] }}
    [[control]]
    path = "/unbound"
    """


def fader(n: int) -> str:
    return f"/ch/{n:02}/mix/fader"


@asynccontextmanager
async def page_at(desk: Desk, tmp_path: Path, profile: str = "x32", times: str = TIMES) -> AsyncIterator[Page]:
    """A page at stagebridge at the desk, which has asked the desk for everything."""
    async with Page.beside(CONFIG.format(profile=profile, port=desk.udp_port, times=times), tmp_path) as page:
        await desk.reaches(lambda: bool(desk.subscribers) and set(desk.asked) >= {fader(4), "/ch/01/config/name"})
        yield page


def sets(desk: Desk) -> list[tuple[str, Any]]:
    """What the desk was told to be."""
    return [(address, *args) for address, args in desk.heard if address in desk.parameters]


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_the_desk_is_asked_first_and_then_both_hear_each_other(profile: str, tmp_path: Path) -> None:
    async with switched_on(PROFILES[profile], SUBSCRIPTION_S) as desk:
        desk.values |= {fader(2): 0.75, "/ch/01/mix/on": 1, "/ch/02/mix/on": 1, "/ch/01/config/name": "Anna"}
        async with page_at(desk, tmp_path, profile) as page:
            for path, value in {"/desk/2/fader": 0.75, "/desk/1/on": True, "/desk/1/name": "Anna"}.items():
                await page.sees(path, value)
            await page.sees("/desk/2/mute", False)
            assert sets(desk) == []
            await page.set("/desk/1/fader", 1)  # a float parameter, whatever the page wrote
            await desk.shows(fader(1), 1.0)
            await page.set("/desk/2/mute", True)
            await desk.shows("/ch/02/mix/on", 0)
            await page.set("/desk/4/percent", 50)  # a whole number here, a float there
            await desk.shows("/ch/04/mix/pan", 0.5)
            await page.set("/desk/1/name", "Ben")
            await desk.shows("/ch/01/config/name", "Ben")
            desk.move(fader(3), 0.25)
            await page.sees("/desk/3/fader", 0.25)
            desk.move("/ch/01/mix/on", 0)
            await page.sees("/desk/1/on", False)
            await page.set("/unbound", 0.5)
            await page.set("/desk/1/fader", 0)
            await desk.shows(fader(1), 0.0)
            assert len(sets(desk)) == 5
            assert {address for address, _ in desk.heard} - desk.parameters.keys() <= {"/xremote", "/info", "/xinfo"}


async def test_the_example_of_the_docs_finds_all_that_it_names_at_the_desk(profile: str, tmp_path: Path) -> None:
    async with switched_on(PROFILES[profile], SUBSCRIPTION_S) as desk:
        for n in range(1, desk.model.channels + 1):
            desk.values[fader(n)] = n / 32
            desk.values[f"/ch/{n:02}/config/name"] = f"In {n}"
        config = re.sub(r'host = ".*"', f'host = "127.0.0.1"\nport = {desk.udp_port}', EXAMPLES[profile], count=1)
        async with Page.beside(config, tmp_path) as page:
            for n in range(1, desk.model.channels + 1):
                await page.comes_to(f"/ch/{n}/fader", lambda db: db == pytest.approx(fader_db(n / 32)))  # noqa: B023
                await page.sees(f"/ch/{n}/mute", True)
                await page.reads(f"/ch/{n}/fader", label=f"In {n}")
            assert sets(desk) == []
            await desk.reaches(lambda: bool(desk.subscribers))
            for n in range(1, desk.model.channels + 1):  # a scene is called at the desk
                desk.move(fader(n), 0.75)
                desk.move(f"/ch/{n:02}/mix/on", 1)
            for n in range(1, desk.model.channels + 1):
                await page.comes_to(f"/ch/{n}/fader", lambda db: db == pytest.approx(0.0))
                await page.sees(f"/ch/{n}/mute", False)
            faders = [path for path, one in page.controls.items() if one.get("unit") == "dB"]
            for path in faders:
                await page.set(path, -10.0)
            await desk.reaches(lambda: len(sets(desk)) == len(faders))
            assert [desk.values[address] for address, _ in sets(desk)] == pytest.approx(
                [0.5] * len(faders), abs=1 / 160
            )
            assert desk.unknown == []


async def test_the_page_shows_the_names_and_colours_that_the_desk_has(tmp_path: Path) -> None:
    async with switched_on(X32, SUBSCRIPTION_S) as desk:
        desk.values |= {"/ch/01/config/name": "Anna", "/ch/01/config/color": 1}
        async with page_at(desk, tmp_path) as page:
            await page.reads("/desk/1/fader", label="Anna", color="#ff3030")
            desk.move("/ch/02/config/name", "Ben")
            desk.move("/ch/02/config/color", 4)
            await page.reads("/desk/2/fader", label="Ben", color="#4070ff")
            assert sets(desk) == []


async def test_a_fader_in_decibels_follows_the_desks_own_law(tmp_path: Path) -> None:
    async with switched_on(X32, SUBSCRIPTION_S) as desk, page_at(desk, tmp_path) as page:
        for db in (10, 0, -10, -20, -30, -45, -60, -75, -90):
            await page.set("/desk/3/db", db)
            await desk.reaches(lambda: abs(fader_db(desk.values[fader(3)]) - db) < 0.3)  # noqa: B023 - 1,024 steps
        for value in (0.75, 0.5, 0.25, 0.0625, 0.0, 1.0):
            desk.move(fader(3), value)
            await page.comes_to("/desk/3/db", lambda db: db == pytest.approx(fader_db(value)))  # noqa: B023


async def test_the_subscription_never_ends(tmp_path: Path) -> None:
    async with switched_on(X32, SUBSCRIPTION_S) as desk, page_at(desk, tmp_path) as page:
        for step in range(1, 5):
            until = max(desk.subscribers.values())
            await desk.reaches(lambda: max(desk.subscribers.values()) > until)  # noqa: B023
            desk.move(fader(1), step / 8)
            await page.sees("/desk/1/fader", step / 8)


@pytest.mark.parametrize(("profile", "how"), [("x32", "switched off"), ("xair", "unplugged")])
async def test_a_desk_that_was_away_is_asked_again_when_it_is_back(profile: str, how: str, tmp_path: Path) -> None:
    async with switched_on(PROFILES[profile], SUBSCRIPTION_S) as desk, page_at(desk, tmp_path, profile) as page:
        desk.move(fader(1), 0.5)
        await page.sees("/desk/1/fader", 0.5)
        if how == "unplugged":
            desk.is_plugged = False
        else:
            await desk.switch_off()
        await page.set("/desk/2/fader", 1.0)  # into the void
        await page.comes_to("/stagebridge/peers/desk", lambda text: text.startswith("silent"))
        desk.values[fader(1)] = 0.125
        desk.values[fader(2)] = 0.25
        desk.heard.clear()
        if how == "unplugged":
            desk.is_plugged = True
        else:
            await desk.switch_on()
        await page.sees("/desk/1/fader", 0.125)
        await page.sees("/desk/2/fader", 0.25)
        assert sets(desk) == []
        desk.move(fader(3), 0.75)
        await page.sees("/desk/3/fader", 0.75)
        await page.set("/desk/4/fader", 1.0)
        await desk.shows(fader(4), 1.0)


async def test_a_fast_finger_does_not_flood_the_desk_and_ends_where_it_lifts(tmp_path: Path) -> None:
    async with switched_on(X32, SUBSCRIPTION_S) as desk, page_at(desk, tmp_path) as page:
        began = asyncio.get_running_loop().time()
        for step in range(10):
            await page.set("/desk/1/fader", *((step * 20 + n) / 200 for n in range(1, 21)))
        await desk.shows(fader(1), 1.0)
        took_s = asyncio.get_running_loop().time() - began
        assert len(sets(desk)) <= 2 + took_s * 50  # control_rate of the profile


async def test_moves_that_cross_on_the_wire_end_the_same_on_both_sides(tmp_path: Path) -> None:
    times = TIMES + "\necho_window_ms = 600"
    async with switched_on(X32, SUBSCRIPTION_S) as desk, page_at(desk, tmp_path, times=times) as page:
        desk.delay_s = 0.15
        desk.move(fader(1), 0.75)
        await page.set("/desk/1/fader", 0.25)
        await desk.reaches(lambda: sets(desk) != [])
        await page.sees("/desk/1/fader", 0.75)  # it was under way to us
        await desk.reaches(lambda: desk.values[fader(1)] == pytest.approx(0.75, abs=1 / 1023))
        assert page.values["/desk/1/fader"] == pytest.approx(desk.values[fader(1)], abs=1 / 1023)


@pytest.mark.parametrize("what", ["what we set", "what the desk tells"])
async def test_what_the_network_has_lost_is_found_and_put_right(what: str, tmp_path: Path) -> None:
    config = """
        [[osc]]
        name = "desk"
        profile = "x32"
        host = "127.0.0.1"
        port = %d
        probe_s = 0.2
        [[control]]
        path = "/fader"
        osc.desk = { address = "/ch/01/mix/fader" }
        """
    async with switched_on() as desk, Page.beside(config % desk.udp_port, tmp_path) as page:
        await desk.reaches(lambda: bool(desk.subscribers))
        await page.set("/fader", 1.0)
        await desk.shows(fader(1), 1.0)
        desk.losing = fader(1)
        if what == "what we set":
            await page.set("/fader", 0.0)
        else:
            desk.move(fader(1), 0.0)
        await desk.reaches(lambda: not desk.losing)
        assert desk.values[fader(1)] != page.values["/fader"]
        await page.sees("/fader", desk.values[fader(1)])
        await page.set("/fader", 0.5)
        await desk.reaches(lambda: desk.values[fader(1)] == pytest.approx(0.5, abs=1 / 1023))


async def test_a_desk_with_no_room_for_one_more_is_still_asked_and_moved(tmp_path: Path) -> None:
    async with switched_on(X32, SUBSCRIPTION_S) as desk:
        full = {("127.0.0.1", port): float("inf") for port in range(1, 5)}
        desk.subscribers |= full
        desk.values[fader(1)] = 0.5
        async with page_at(desk, tmp_path) as page:
            await page.sees("/desk/1/fader", 0.5)
            await page.set("/desk/2/fader", 1.0)
            await desk.shows(fader(2), 1.0)
            assert desk.subscribers == full
            desk.subscribers.clear()
            await desk.reaches(lambda: bool(desk.subscribers))
            desk.move(fader(3), 0.25)
            await page.sees("/desk/3/fader", 0.25)


async def test_replies_without_a_slash_and_meters_are_understood_or_let_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    more = """
        [state]
        file = ""

        [[control]]
        path = "/desk/1/config"
        kind = "string"
        osc.desk = { address = "/node", direction = "in" }
        """
    times = TIMES + '\nhello = [["/node", "ch/01/config"], ["/meters", "/meters/1"]]'
    async with switched_on(X32, SUBSCRIPTION_S) as desk:
        desk.values |= {"/ch/01/config/name": "Anna", "/ch/01/config/color": 3}
        config = CONFIG.format(profile="x32", port=desk.udp_port, times=times) + more
        async with Page.beside(config, tmp_path) as page:
            await page.sees("/desk/1/config", '/ch/01/config "Anna" YE\n')
            assert desk.is_metering
            await desk.reaches(lambda: not desk.is_metering)
            desk.move(fader(1), 0.5)
            await page.sees("/desk/1/fader", 0.5)
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) <= 1, lines  # the meters have no control; the answers to our probe need none


@pytest.mark.parametrize(("profile", "kind"), [("x32", "X32"), ("xair", "XR18")])
async def test_another_program_at_the_desk_and_we_see_each_others_moves(
    profile: str, kind: str, tmp_path: Path
) -> None:
    async with (
        switched_on(PROFILES[profile], SUBSCRIPTION_S) as desk,
        page_at(desk, tmp_path, profile) as page,
        xair(kind, desk.udp_port) as other,
    ):
        await asyncio.to_thread(setattr, other.strip[0].mix, "on", True)
        await page.sees("/desk/1/on", True)
        await asyncio.to_thread(setattr, other.strip[0].config, "name", "Choir")
        await page.sees("/desk/1/name", "Choir")
        await asyncio.to_thread(setattr, other.strip[1].mix, "fader", 0.0)  # dB
        await page.comes_to("/desk/2/fader", lambda value: value == pytest.approx(0.75, abs=1 / 1023))
        await page.set("/desk/3/fader", 0.5)
        await desk.reaches(lambda: desk.values[fader(3)] > 0)
        await xair_reads(lambda: other.strip[2].mix.fader, pytest.approx(-10, abs=0.1))
        await page.set("/desk/1/on", False)
        await desk.shows("/ch/01/mix/on", 0)
        await xair_reads(lambda: other.strip[0].mix.on, False)
