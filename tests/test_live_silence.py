"""What is said while Live is silent, when it comes, and when somebody else takes its news."""

import asyncio
import socket
import time

import pytest

from bridge.drivers.abletonosc.rival import STOLEN
from bridge.drivers.abletonosc.silence import BLOCKED, BUSY, LONELY, NOT_CHOSEN, TAKEN, WRONG_HOST, advice
from bridge.errors import PortError
from bridge.osc.profile import PROFILES
from bridge.port import Peer

from .fakes.liveset import Clip, Device, Parameter, Scene, Song, Track
from .profiles import settings_of
from .test_fake_live import built
from .test_live import HERE, Stage, staged
from .test_osc import Bridge
from .waiting import SOON_S

ELSEWHERE = "127.0.0.2"
TIMES = {"probe_s": 0.2, "timeout_s": 0.5}
"""Sooner than it says so in life."""


async def says(stage: Stage, text: str) -> None:
    """Return when this stands in its state."""
    async with asyncio.timeout(SOON_S):
        while text not in stage.bridge.states.get("live", ""):
            await asyncio.sleep(0.01)


def pair() -> Song:
    return Song([Track("Drums"), Track("Bass")])


async def test_a_live_that_is_closed_is_told_apart_from_one_that_is_busy(caplog: pytest.LogCaptureFixture) -> None:
    async with staged(pair(), **TIMES) as stage:
        await says(stage, "2 tracks, 10 steps/s")
        stage.live.is_frozen = True
        await says(stage, BUSY)
        stage.live.is_frozen = False
        await says(stage, "2 tracks")
        await stage.live.quit()
        await says(stage, NOT_CHOSEN)
        assert NOT_CHOSEN in caplog.text
        await stage.live.start()
        await says(stage, "2 tracks")
        assert NOT_CHOSEN not in stage.bridge.states["live"]


async def test_what_never_answers_may_be_another_program() -> None:
    with bound() as deaf:
        async with staged(pair(), port=deaf.getsockname()[1], timeout_s=0.5) as stage:
            await says(stage, LONELY)


async def test_a_port_that_is_taken_is_told_with_who_has_it() -> None:
    with bound() as taken:
        port = taken.getsockname()[1]
        settings = await asyncio.to_thread(
            settings_of, PROFILES, {"name": "live", "profile": "abletonosc", "listen": f"{HERE}:{port}"}
        )
        bridge = Bridge()
        (one,) = bridge.ports(Peer("osc", "live", settings))
        with pytest.raises(PortError):
            await one.serve(lambda: None)
        assert f"UDP {port} is taken by " in bridge.states["live"]
        assert bridge.states["live"].endswith(TAKEN)


async def test_when_we_stop_nothing_is_said_of_live(caplog: pytest.LogCaptureFixture) -> None:
    async with staged(pair(), **TIMES) as stage:
        await says(stage, "2 tracks")
    assert stage.bridge.states["live"].endswith("our UDP port is not open")
    assert BUSY not in caplog.text


async def test_live_shows_how_many_controls_there_are_whenever_it_is_there_anew() -> None:
    async with staged(pair(), show=["volume", "song"]) as stage:
        await stage.live.reaches(lambda: stage.live.messages == ["stagebridge: 9 controls"])
        await stage.live.open_set(Song([Track("Vox")]))
        await stage.live.reaches(lambda: stage.live.messages[1:] == ["stagebridge: 8 controls"])


async def test_a_program_that_takes_lives_news_is_told_and_nothing_stays_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged(pair(), show=["volume"]) as stage:
        await stage.live.reaches(lambda: bool(stage.live.messages))
        with bound(ELSEWHERE) as other:  # what it causes is told to it alone
            for volume in (0.85, 0.55, 0.85):
                packet = built("/live/track/set/volume", 1, volume - 0.1).dgram
                other.sendto(packet, (HERE, stage.live.udp_port))
                await stage.reaches("/live/track/bass/volume", 40 * (volume - 0.1) - 34, within=0.1)
        await says(stage, STOLEN)
        assert STOLEN in caplog.text


async def test_another_set_is_there_at_once_though_the_one_before_had_more_of_everything() -> None:
    clips = [Clip(f"{n}") for n in range(4)]
    device = Device("Auto Filter", [Parameter("Frequency", 0.5)])
    many = Song([Track(f"T{n}", clips=clips, devices=[device]) for n in range(6)], [Scene(str(n)) for n in range(4)])
    async with staged(many, tick_s=0.1, **TIMES) as stage:
        await stage.live.reaches(lambda: bool(stage.live.messages))
        await stage.live.quit()
        await says(stage, NOT_CHOSEN)
        stage.live.errors.clear()
        began = time.monotonic()
        await stage.live.open_set(Song([Track("Lead")], sends=0))
        await stage.strips("Lead")
        took_s = time.monotonic() - began
        assert took_s < 4.0
        # What it is asked for that it has not: whether there is a send, again where the answer is late; no track, scene
        # or device of the other set.
        assert len(stage.live.errors) <= 2 * (1 + took_s // TIMES["timeout_s"])


def bound(host: str = HERE) -> socket.socket:
    """Another program's socket."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind((host, 0))
    return found


@pytest.mark.parametrize(
    ("trouble", "was_heard", "is_here", "said"),
    [
        ("refused", False, True, NOT_CHOSEN),
        ("refused", True, False, NOT_CHOSEN),
        ("unreachable", False, False, WRONG_HOST),
        ("taken", False, True, TAKEN),
        ("", True, True, BUSY),
        ("", False, True, LONELY),
        ("", False, False, BLOCKED),
    ],
)
def test_what_to_look_at_while_live_says_nothing(trouble: str, was_heard: bool, is_here: bool, said: str) -> None:
    assert advice(trouble, was_heard=was_heard, is_here=is_here) == said
