"""The fake Live itself: it has the habits of AbletonOSC that our driver is tested against."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from .fakes.abletonosc import ROOM, Live, opened_live
from .fakes.liveset import OUT_OF_RANGE, Clip, Device, Parameter, Scene, Song, Track
from .waiting import SOON_S

TICK_S = 0.02
HERE = "127.0.0.1"


class Client(asyncio.DatagramProtocol):
    """A remote-control program at the port that Live answers to."""

    def __init__(self) -> None:
        self.packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.live_port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.packets.put_nowait(data)

    def say(self, address: str, *args: Any) -> None:
        self.transport.sendto(built(address, *args).dgram, (HERE, self.live_port))

    async def hear(self) -> tuple[Any, ...]:
        message = OscMessage(await asyncio.wait_for(self.packets.get(), SOON_S))
        return (message.address, *message.params)

    async def ask(self, address: str, *args: Any) -> tuple[Any, ...]:
        """The arguments of the answer, if that is the next that it hears."""
        self.say(address, *args)
        told, *rest = await self.hear()
        assert told == address, (told, rest)
        return tuple(rest)

    async def fails(self, address: str, *args: Any) -> str:
        """What is wrong with this message."""
        self.say(address, *args)
        told, text = await self.hear()
        assert told == "/live/error"
        return str(text)

    async def listens(self, prop: str, track: int | str) -> tuple[Any, ...]:
        """What it is told at once."""
        self.say(f"/live/track/start_listen/{prop}", track)
        return await self.hear()

    async def hears_nothing_else(self) -> None:
        """All that came before is read, and nothing more was told."""
        assert await self.ask("/live/song/get/num_scenes") is not None
        assert self.packets.empty()


def built(address: str, *args: Any) -> OscMessage:
    builder = OscMessageBuilder(address)
    for arg in args:
        builder.add_arg(arg)
    return builder.build()


def song() -> Song:
    reverb = Device("Reverb", [Parameter("Decay", 2500.0, 200.0, 60000.0, text=lambda ms: f"{ms / 1000:.2f} s")])
    return Song(
        [
            Track("Drums", 0xFF0000, [Clip("Beat", 0x00FF00), None], [reverb]),
            Track("Bass", clips=[None, Clip("Line")], has_audio_output=False),
            Track("Group", can_be_armed=False, is_foldable=True),
        ],
        [Scene("Intro", 0x0000FF), Scene("Verse")],
    )


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Client, local_addr=(HERE, 0))
    try:
        yield protocol
    finally:
        transport.close()


@pytest.fixture
async def live(client: Client) -> AsyncIterator[Live]:
    async with opened_live(song(), client.port, TICK_S) as one:
        client.live_port = one.udp_port
        assert await client.hear() == ("/live/startup",)
        assert await client.hear() == ("/live/application/get/average_process_usage",)
        yield one


async def test_it_answers_to_its_fixed_port_whoever_asks(live: Live, client: Client) -> None:
    loop = asyncio.get_running_loop()
    transport, other = await loop.create_datagram_endpoint(Client, local_addr=(HERE, 0))
    other.live_port = live.udp_port
    other.say("/live/test")
    assert await client.hear() == ("/live/test", "ok")
    transport.close()
    assert other.packets.empty()
    assert live.messages == ["Received OSC OK"]


async def test_values_have_32_bits_switches_are_true_or_false_and_an_empty_slot_is_nothing(
    live: Live, client: Client
) -> None:
    assert await client.ask("/live/track/get/volume", 0) == (0, 0.8500000238418579)
    assert await client.ask("/live/track/get/mute", 0) == (0, False)
    assert await client.ask("/live/track/get/clips/name", 0) == (0, "Beat", None)
    assert await client.ask("/live/song/get/track_names") == ("Drums", "Bass", "Group")
    assert await client.ask("/live/song/get/track_names", 1, 2) == ("Bass",)
    assert await client.ask("/live/song/get/track_data", 0, 2, "track.name", "track.color", "clip.color") == (
        *("Drums", 0xFF0000, 0x00FF00, None),
        *("Bass", 0x808080, None, 0xFF8000),
    )
    assert await client.ask("/live/track/get/arm", 2) == (2, None)


async def test_a_listener_is_told_at_once_and_then_changes_alone_whoever_makes_them(live: Live, client: Client) -> None:
    assert (await client.listens("volume", 0))[-1] == pytest.approx(0.85)
    client.say("/live/track/set/volume", 0, 0.5)
    assert await client.hear() == ("/live/track/get/volume", 0, 0.5)
    client.say("/live/track/set/volume", 0, 0.5)
    await client.hears_nothing_else()
    live.move("Drums", "volume", 0.25)
    assert await client.hear() == ("/live/track/get/volume", 0, 0.25)


async def test_all_tracks_are_subscribed_with_a_star_and_only_the_first_is_got(live: Live, client: Client) -> None:
    assert await client.listens("panning", "*") == ("/live/track/get/panning", 0, 0.0)
    assert [await client.hear() for _ in range(2)] == [("/live/track/get/panning", n, 0.0) for n in (1, 2)]
    assert await client.ask("/live/track/get/panning", "*") == (0, 0.0)


async def test_an_error_does_not_say_its_cause_and_ends_the_tick(live: Live, client: Client) -> None:
    assert await client.fails("/tempo", 120.0) == "Unknown OSC address: /tempo"
    assert await client.fails("/live/track/set/volume", 0, 1.5) == f"Error handling OSC message: {OUT_OF_RANGE}"
    assert "list index" in await client.fails("/live/track/set/volume", 9, 0.5)
    assert "integers" in await client.fails("/live/track/set/send", 0, 0.0, 0.5)
    assert "integers" in await client.fails("/live/device/start_listen/parameter/value", 0, 0, 1.0)
    assert "C++" in await client.fails("/live/track/set/mute", 0, 1.0)
    ticks = len(live.ticks)
    client.say("/live/track/start_listen/output_meter_left", "*")  # the first has one, the second has not
    client.say("/live/test")
    assert await client.hear() == ("/live/track/get/output_meter_left", 0, 0.0)
    assert (await client.hear())[0] == "/live/error"
    assert await client.hear() == ("/live/test", "ok")
    assert len(live.ticks) >= ticks + 2  # however late we hear of the first


async def test_a_listener_follows_its_track_and_goes_on_to_say_the_old_index(live: Live, client: Client) -> None:
    await client.listens("volume", 0)
    live.song.move_track("Drums", 2)
    live.move("Drums", "volume", 0.1)
    assert await client.hear() == ("/live/track/get/volume", 0, pytest.approx(0.1))
    live.move("Bass", "volume", 0.2)
    await client.hears_nothing_else()


async def test_a_listener_of_a_track_that_has_moved_cannot_be_stopped_nor_replaced(live: Live, client: Client) -> None:
    await client.listens("volume", 0)
    await client.listens("mute", 0)
    live.song.move_track("Drums", 2)
    for verb in ("stop_listen", "start_listen"):
        assert "not connected" in await client.fails(f"/live/track/{verb}/volume", 0)
    client.say("/live/track/start_listen/volume", 0, "again")
    assert await client.hear() == ("/live/track/get/volume", 0, "again", pytest.approx(0.85))
    live.move("Bass", "volume", 0.2)
    assert await client.hear() == ("/live/track/get/volume", 0, "again", pytest.approx(0.2))
    assert await client.listens("mute", 0) == ("/live/track/get/mute", 0, False)  # of a switch it is forgotten
    live.move("Drums", "mute", True)
    assert await client.hear() == ("/live/track/get/mute", 0, True)


async def test_a_deleted_track_is_silent(live: Live, client: Client) -> None:
    await client.listens("volume", 0)
    drums = live.song.track("Drums")
    live.song.delete_track("Drums")
    assert await client.ask("/live/song/get/num_tracks") == (2,)
    drums.mute = True
    await client.hears_nothing_else()


async def test_another_set_and_another_start_forget_all_listeners_and_say_so(live: Live, client: Client) -> None:
    await client.listens("volume", 0)
    port = live.udp_port
    await live.open_set(Song([Track("Vox")]))
    assert live.udp_port == port
    assert await client.hear() == ("/live/startup",)
    await client.hear()
    live.move("Vox", "volume", 0.1)
    await client.hears_nothing_else()
    await live.quit()
    client.say("/live/test")
    await live.start()
    assert await client.hear() == ("/live/startup",)
    assert live.song.track("Vox").volume.value == 0.1


async def test_a_device_tells_its_values_with_the_text_that_live_shows(live: Live, client: Client) -> None:
    assert await client.ask("/live/device/get/parameters/name", 0, 0) == (0, 0, "Device On", "Decay")
    assert await client.ask("/live/device/get/parameters/max", 0, 0) == (0, 0, 1, 60000.0)
    client.say("/live/device/start_listen/parameter/value", 0, 0, 1)
    assert await client.hear() == ("/live/device/get/parameter/value", 0, 0, 1, 2500.0)
    assert await client.hear() == ("/live/device/get/parameter/value_string", 0, 0, 1, "2.50 s")
    client.say("/live/device/set/parameter/value", 0, 0, 1, 1000.0)
    assert await client.hear() == ("/live/device/get/parameter/value", 0, 0, 1, 1000.0)
    assert await client.hear() == ("/live/device/get/parameter/value_string", 0, 0, 1, "1.00 s")
    assert await client.ask("/live/view/get/selected_device") == (0, 0)
    live.song.put("selected_track", live.song.returns[0])
    assert "not in list" in await client.fails("/live/view/get/selected_device")


async def test_a_clip_that_is_fired_blinks_until_the_next_bar(live: Live, client: Client) -> None:
    for prop in ("fired_slot_index", "playing_slot_index"):
        assert await client.listens(prop, 0) == (f"/live/track/get/{prop}", 0, -1)
    client.say("/live/clip_slot/fire", 0, 0)
    assert await client.hear() == ("/live/track/get/fired_slot_index", 0, 0)
    assert await client.hear() == ("/live/track/get/fired_slot_index", 0, -1)
    assert await client.hear() == ("/live/track/get/playing_slot_index", 0, 0)
    client.say("/live/scene/fire", 1)  # no clip there: the track stops
    assert [await client.hear() for _ in range(3)] == [
        ("/live/track/get/fired_slot_index", 0, -2),
        ("/live/track/get/fired_slot_index", 0, -1),
        ("/live/track/get/playing_slot_index", 0, -2),
    ]


async def test_beats_are_told_while_it_plays(live: Live, client: Client) -> None:
    live.song.put("tempo", 999.0)
    client.say("/live/song/start_listen/beat")
    client.say("/live/song/start_playing")
    assert [await client.hear() for _ in range(3)] == [("/live/song/get/beat", n) for n in range(3)]


async def test_what_is_beyond_a_hundred_messages_of_a_tick_is_lost(live: Live, client: Client) -> None:
    live.is_frozen = True
    for _ in range(ROOM + 5):
        client.say("/live/song/get/num_tracks")
    await live.reaches(lambda: len(live.lost) == 5)
    live.is_frozen = False
    await live.reaches(lambda: len(live.heard) == ROOM)


async def test_a_bundle_is_unpacked_and_its_time_ignored(live: Live, client: Client) -> None:
    bundle, inner = OscBundleBuilder(time.time() + 3600), OscBundleBuilder(IMMEDIATELY)
    inner.add_content(built("/live/song/set/tempo", 99.0))
    bundle.add_content(inner.build())
    bundle.add_content(built("/live/song/get/tempo"))
    client.transport.sendto(bundle.build().dgram, (HERE, live.udp_port))
    assert await client.hear() == ("/live/song/get/tempo", 99.0)


async def test_a_cc_moves_what_was_mapped_to_it(live: Live, client: Client) -> None:
    client.say("/live/midimap/map_cc", 0, 0, 1, 2, 20)
    await live.hears("/live/midimap/map_cc", 0, 0, 1, 2, 20)
    live.hear_midi(bytes((0xB2, 20, 127)))
    assert live.song.tracks[0].devices[0].parameters[1].value == 60000.0


async def test_behind_a_firewall_it_hears_and_is_not_heard(live: Live, client: Client) -> None:
    live.is_silent = True
    client.say("/live/test")
    await live.hears("/live/test")
    assert client.packets.empty()
