"""The examples of docs/profiles.md, run as they are written, but on this machine's own network."""

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import uvloop

from bridge.config.loading import parse
from bridge.config.settings import Config
from bridge.control import Control
from bridge.osc.codec import Message
from bridge.osc.port import KIND
from bridge.osc.profile import PROFILES
from bridge.osc.settings import SHIPPED
from bridge.port import Peer
from bridge.schema import PROFILES_FILE, profiles_text, schema_text

from .port_contract import BROWSER
from .profiles import settings_of
from .test_osc import Bridge, voice
from .test_osctcp import Stream
from .waiting import SOON_S

LOOPS = {"uvloop": uvloop.new_event_loop}
on_uvloop = pytest.mark.asyncio(loop_factories=["uvloop"])

ROOT = Path(__file__).resolve().parent.parent
DOCS = (ROOT / PROFILES_FILE).read_text(encoding="utf-8")
EXAMPLES = {
    text.split('profile = "')[1].split('"')[0]: text
    for text in re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
    if "[[control]]" in text
}
Hear = Callable[[], Awaitable[Message]]
Say = Callable[..., None]


@asynccontextmanager
async def at_the_other_end(
    table: dict[str, Any],
) -> AsyncIterator[tuple[dict[str, Any], Hear, Say, Callable[[Any], Awaitable[None]]]]:
    """The peer's table with our addresses, what hears and speaks there, and where to say which port is ours."""
    transport = (await asyncio.to_thread(settings_of, PROFILES, table)).transport
    if transport != "udp":
        streams: asyncio.Queue[Stream] = asyncio.Queue()
        found: list[Stream] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            streams.put_nowait(Stream(transport, reader, writer))

        async def is_connected(_: Any) -> None:
            found.append(await asyncio.wait_for(streams.get(), SOON_S))

        async def hear() -> Message:
            return await found[0].hear()

        def say(address: str, *args: Any) -> None:
            found[0].send(address, *args)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield table | {"host": "127.0.0.1", "port": port}, hear, say, is_connected
        finally:
            server.close()
            for stream in found:
                stream.abort()
            await server.wait_closed()
    else:
        async with voice() as program:

            async def is_open_at(udp_port: Any) -> None:
                program.goal = ("127.0.0.1", udp_port)

            local = {"host": "127.0.0.1", "port": program.address[1], "listen": "127.0.0.1:0"}
            yield table | local, program.hear, program.send, is_open_at


def values_for(control: Control) -> list[Any]:
    """Two values that a control does not have at the start."""
    if control.kind in ("float", "int"):
        return [control.coerce(control.value_at(position)) for position in (1.0, 0.5)]
    return {
        "bool": [True, False], "string": ["a", "b"], "choice": [control.choices[-1:][0] if control.choices else None],
        "vector": [(0.25, 0.75)], "color": ["#102030"],
    }[control.kind]  # fmt: skip


def bound(config: Config, path: str) -> Any:
    (peer,) = config.peers
    return next(iter(peer.bindings.get(path, ())), None)


def test_every_profile_has_one_example() -> None:
    assert sorted(EXAMPLES) == sorted(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_editors_find_no_mistake_in_an_example(name: str) -> None:
    jsonschema.validate(tomllib.loads(EXAMPLES[name]), json.loads(schema_text()), jsonschema.Draft7Validator)


def test_the_table_of_the_docs_is_what_the_profiles_say() -> None:
    assert profiles_text(DOCS) == DOCS, "run: python -m bridge.schema write"


def test_the_profile_of_ones_own_in_the_docs_is_right(tmp_path: Path) -> None:
    (text,) = re.findall(r"```\n(description = .*?)```", DOCS, re.DOTALL)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "synth.toml").write_text(text, encoding="utf-8")
    config = parse('[[osc]]\nname = "synth"\nprofile = "synth"\nhost = "h"\n', {"osc": KIND}, tmp_path)
    assert config.peers[0].settings.control_rate == 20


@on_uvloop
@pytest.mark.parametrize("name", SHIPPED)
async def test_what_moves_is_heard_over_there_and_what_moves_there_is_heard_here(name: str) -> None:
    config = await asyncio.to_thread(parse, EXAMPLES[name], {"osc": KIND})
    (peer,) = config.peers
    (table,) = tomllib.loads(EXAMPLES[name])["osc"]
    bridge = Bridge(*config.controls)
    async with at_the_other_end(table) as (local, hear, say, is_open_at):
        settings = await asyncio.to_thread(settings_of, PROFILES, local)
        async with bridge.running(Peer("osc", peer.name, settings, peer.bindings, peer.excluded)) as (port,):
            await is_open_at(port.udp_port)
            wanted = set()
            for control in config.controls:
                binding = bound(config, control.path)
                if binding is None and not settings.mirror:
                    continue
                if binding is not None and binding.direction == "in":
                    continue
                wanted.add((binding and binding.address) or control.path)
                entry = bridge.store.get(control.path)
                if control.kind == "trigger":
                    bridge.store.trigger(entry, (), BROWSER, 0.0)
                else:
                    bridge.set(control.path, values_for(control)[0])
            heard: dict[str, tuple[Any, ...]] = {}
            while not wanted <= heard.keys():
                message = await hear()
                heard.setdefault(message.address, message.args)
                if message.args:
                    heard[message.address] = message.args
            await both_hear(bridge, config, say, heard)


async def both_hear(bridge: Bridge, config: Config, say: Say, heard: dict[str, tuple[Any, ...]]) -> None:
    """The peer moves the first number that it can move to the middle."""
    for control in config.controls:
        binding = bound(config, control.path)
        address = (binding and binding.address) or control.path
        if control.kind != "float" or not isinstance(heard.get(address, ("",))[-1], float):
            continue
        low, high = (binding and binding.range) or control.range or (0, 1)
        before = binding.args.before if binding and binding.args else ()
        say((binding and binding.reply) or address, *before, (low + high) / 2)
        moved = bridge.store.get(control.path)
        async with asyncio.timeout(SOON_S):
            while moved.value == values_for(control)[0]:
                await asyncio.sleep(0.001)
        if binding and binding.label:
            say(binding.label, *before, "Anna")
            async with asyncio.timeout(SOON_S):
                while moved.control.label != "Anna":
                    await asyncio.sleep(0.001)
        return
    assert not any(control.kind == "float" for control in config.controls), "nothing was moved"
