"""What a peer's settings change on the wire, over real sockets: prefix, bare addresses, touch, looks, answers."""

import asyncio
from typing import Any

import pytest
import uvloop

from bridge.osc.codec import Bundle, Message, encode, encode_bundle
from bridge.osc.profile import PROFILES
from bridge.osc.types import IMMEDIATELY
from bridge.port import Peer

from .profiles import settings_of
from .test_osc import Bridge, level, voice
from .waiting import SOON_S

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

MARK = level("/mark")


async def test_a_prefix_stands_before_what_it_is_sent_and_is_taken_off_what_it_says() -> None:
    bridge = Bridge(level("/a"), level("/b"), MARK)
    async with bridge.with_max(prefix="/gma3") as (_, max_):
        bridge.set("/a", 0.5)
        assert await max_.hear() == Message("/gma3/a", (0.5,))
        max_.send("/gma3/b", 0.25)
        await bridge.reaches("/b", 0.25)
        max_.send("/b", 0.75)  # without it is heard too
        await bridge.reaches("/b", 0.75)
        max_.send("/gma3/*", 1.0)
        await bridge.reaches("/mark", 1.0)
        max_.send("/gma3/stagebridge/refresh", "/b")
        assert await max_.hear() == Message("/gma3/b", (1.0,))


async def test_what_only_begins_like_the_prefix_is_another_address() -> None:
    bridge = Bridge(level("/gma3x/a"), level("/x/a"), MARK)
    async with bridge.with_max(prefix="/gma3") as (_, max_):
        max_.send("/gma3x/a", 0.5)
        await bridge.reaches("/gma3x/a", 0.5)
        assert bridge.value("/x/a") == 0.0


async def test_addresses_without_a_slash_are_heard_where_the_peer_may_leave_it_out() -> None:
    bridge = Bridge(level("/a"), level("/b"))
    async with bridge.with_max(bare_addresses=True) as (_, max_):
        max_.send("a", 0.5)
        await bridge.reaches("/a", 0.5)
        both = tuple(Message(address, (0.25,)) for address in ("a", "/b"))
        max_.send_raw(encode(Bundle(IMMEDIATELY, both)))
        await bridge.reaches("/b", 0.25)
        assert bridge.value("/a") == 0.25


async def test_addresses_without_a_slash_are_no_ones_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    bridge = Bridge(level("/a"), MARK)
    async with bridge.with_max() as (port, max_):
        max_.send("a", 0.5)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert bridge.value("/a") == 0.0
        (health,) = port.health()
        assert health["bad"] + health["unknown"] == 1
        assert "heard a from 127.0.0.1, without a slash: bare_addresses = true takes it for /a" in caplog.text


async def test_a_finger_on_a_mirrored_fader_is_told_by_the_peers_template() -> None:
    bridge = Bridge(level("/mix"), MARK)
    async with bridge.with_max(touch="{path}/z") as (_, max_):
        entry = bridge.store.get("/mix")
        max_.send("/mix/z", 1.0)
        max_.send("/mix", 0.5)
        await bridge.reaches("/mix", 0.5)
        assert len(entry.holders) == 1
        bridge.set("/mix", 0.75)  # somebody else moves it: no motor pulls at the finger
        assert await max_.hears_nothing_before(bridge, "/mark") == []
        max_.send("/mix/z", 0.0)
        assert await max_.hear() == Message("/mix", (0.75,))
        assert not entry.holders


async def test_who_is_learnt_is_learnt_by_its_finger_too() -> None:
    bridge = Bridge(level("/mix"), MARK)
    async with voice() as tablet, bridge.running(bridge.peer(send="last", touch="{path}/z")) as (port,):
        tablet.goal = ("127.0.0.1", port.udp_port or 0)
        tablet.send("/mix/z", 1.0)
        while not bridge.store.get("/mix").holders:
            await asyncio.sleep(0.001)
        bridge.set("/mark", 1.0)
        assert await tablet.hear() == Message("/mark", (1.0,))


async def test_a_question_is_not_answered_where_answers_are_off() -> None:
    bridge = Bridge(level("/a"), MARK)
    async with bridge.with_max(answers=False) as (_, max_):
        max_.send("/a")
        max_.send("/mark", 0.5)
        await bridge.reaches("/mark", 0.5)
        assert await max_.hears_nothing_before(bridge, "/mark") == []


DESK: dict[str, Any] = {"mirror": False, "colors": ["", "#ff0000", "#00ff00"], "echoes": "no"}
FADER = {"address": "/ch/01/mix/fader", "label": "/ch/01/config/name", "color": "/ch/01/config/color"}


async def described(bridge: Bridge, path: str, **looks: Any) -> None:
    entry = bridge.store.get(path)
    async with asyncio.timeout(SOON_S):
        while any(getattr(entry.control, what) != wanted for what, wanted in looks.items()):
            await asyncio.sleep(0.001)


async def test_a_desks_name_and_colour_become_the_controls() -> None:
    bridge = Bridge(level("/vox", label="Channel 1"), level("/other"))
    async with bridge.with_max({"/vox": FADER}, **DESK) as (port, desk):
        desk.send("/ch/01/config/name", "Anna")
        await described(bridge, "/vox", label="Anna", color=None)
        desk.send_raw(encode_bundle(1, [encode(Message("/ch/01/config/color", (2,)))]))
        await described(bridge, "/vox", label="Anna", color="#00ff00")
        desk.send("/ch/01/config/name", "")
        desk.send("/ch/01/config/color", 0)
        await described(bridge, "/vox", label="Channel 1", color=None)
        desk.send("/ch/01/config/color", 99)
        desk.send("/ch/01/mix/fader", 0.5)
        await bridge.reaches("/vox", 0.5)
        assert (port.health()[0]["bad"], port.health()[0]["unknown"]) == (1, 0)


async def test_a_new_name_in_the_middle_of_a_move_loses_nothing() -> None:
    bridge = Bridge(level("/vox"))
    async with bridge.with_max({"/vox": FADER}, **DESK | {"echoes": "yes"}) as (_, desk):
        bridge.set("/vox", 0.5)
        assert await desk.hear() == Message("/ch/01/mix/fader", (0.5,))
        desk.send("/ch/01/config/name", "Anna")
        await described(bridge, "/vox", label="Anna")
        desk.send("/ch/01/mix/fader", 0.502)  # its echo: the guard still knows what it was sent
        desk.send("/ch/01/config/name", "Ben")
        await described(bridge, "/vox", label="Ben")
        assert bridge.value("/vox") == 0.5


async def test_an_address_that_is_a_name_and_a_control_is_both() -> None:
    bridge = Bridge(level("/vox"), level("/name", kind="string"))
    bindings = {"/vox": FADER, "/name": {"address": "/ch/01/config/name"}}
    async with bridge.with_max(bindings, **DESK) as (_, desk):
        desk.send("/ch/01/config/name", "Anna")
        await bridge.reaches("/name", "Anna")
        await described(bridge, "/vox", label="Anna")


async def test_each_peer_is_sent_the_types_that_it_wants() -> None:
    bridge = Bridge(level("/on", kind="bool"), level("/xy", kind="vector"), level("/go", kind="trigger"))
    types = {"bool": "T", "vector": "array", "trigger": "I"}
    async with bridge.with_max(types=types) as (_, max_):
        bridge.set("/on", True)
        bridge.set("/xy", (0.25, 0.5))
        assert await max_.hear_all(2) == [Message("/on", (True,)), Message("/xy", ((0.25, 0.5),))]
        max_.send("/xy", (0.75, 0.5))
        await bridge.reaches("/xy", (0.75, 0.5))
        max_.send("/on", False)
        await bridge.reaches("/on", False)


async def test_a_touchosc_tablet_gets_every_value_at_its_own_port_when_it_is_first_heard() -> None:
    bridge = Bridge(level("/mix/1"), level("/mix/2"), level("/flash", kind="bool", momentary=True))
    bridge.set("/mix/2", 0.5)
    table = {"name": "tablet", "profile": "touchosc", "listen": "127.0.0.1:0"}
    async with voice() as ear, voice() as mouth:
        # TouchOSC speaks from another port than it hears on, which is always the same.
        settings = await asyncio.to_thread(settings_of, PROFILES, table | {"reply_port": ear.address[1]})
        async with bridge.running(Peer("osc", "tablet", settings)) as (port,):
            mouth.goal = ("127.0.0.1", port.udp_port or 0)
            mouth.send("/mix/1", 0.25)
            heard = {message.address: message.args[0] for message in await ear.hear_all(3)}
            assert heard["/mix/2"] == 0.5
            assert heard["/flash"] == 0
            mouth.send("/mix/2/z", 1.0)
            mouth.send("/mix/2", 0.75)
            await bridge.reaches("/mix/2", 0.75)
            assert [holder.name for holder in bridge.store.get("/mix/2").holders] == ["tablet"]
            bridge.set("/mix/1", 1.0)
            while (message := await ear.hear()) != Message("/mix/1", (1.0,)):
                assert message.address != "/mix/2", "nobody pulls at the finger"


async def test_hello_is_sent_with_the_types_that_it_is_written_with() -> None:
    bridge = Bridge(MARK)
    hello = [["/eos/reset"], ["/x", 1, 0.5, "7", True]]
    async with bridge.with_max(prefix="/desk", types={"bool": "T", "int": "f"}, hello=hello) as (_, max_):
        assert await max_.hear_all(2) == [Message("/desk/eos/reset"), Message("/desk/x", (1, 0.5, "7", True))]


@pytest.mark.parametrize(("nil", "sent"), [("drop", (3, "x")), ("N", (3, None, "x")), ("0", (3, 0, "x"))])
async def test_nil_among_a_triggers_arguments_goes_on_as_each_peer_takes_it(nil: str, sent: tuple[Any, ...]) -> None:
    bridge = Bridge(level("/go", kind="trigger"), MARK)
    fired = bridge.changes
    async with voice() as one, voice() as other:
        peers = [bridge.peer("one", send=[one.shown]), bridge.peer("other", send=[other.shown], types={"nil": nil})]
        async with bridge.running(*peers) as (first, second):
            one.goal, other.goal = ("127.0.0.1", first.udp_port or 0), ("127.0.0.1", second.udp_port or 0)
            one.send("/go", 3, None, "x")
            heard = await other.hear()
            assert heard == Message("/go", sent)
            other.send(heard.address, *heard.args)  # it sends back what it gets
            other.send("/mark", 1.0)
            await bridge.reaches("/mark", 1.0)
            assert [change.args for change in fired if change.what == "trigger"] == [(3, None, "x")]
