"""Any sequence of configurations, one reload after the other, ends where a fresh start on the last one begins."""

import asyncio
import copy
import random
import socket
from pathlib import Path
from typing import Any

import pytest

from bridge.app import KINDS, Bridge
from bridge.config import loading
from bridge.config.diff import is_same_thing
from bridge.control import CONFIG
from bridge.osc.port import OscPort
from bridge.store import Origin
from tests.peers import free_udp_port

HAND = Origin("browser", "c1", "FOH")
STEPS = 25
PATHS = ("/a", "/b", "/c", "/flash", "/go", "/pos", "/m/1", "/m/2")
KINDS_OF = (
    "range = [0, {n}]",
    'kind = "int"\nrange = [0, {n}]',
    'kind = "bool"',
    'kind = "bool"\nmomentary = true',
    'kind = "trigger"',
    'kind = "vector"\ncomponents = 2',
    'kind = "string"',
    'choices = ["x", "y", "z{n}"]',
    'kind = "meter"',
    "range = [0, {n}]\nmomentary = true",
)
MINE = '<input class="sync" id="{}" type="range" min="0" max="{}">'


class Writer:
    """Configurations as somebody writes them in a rehearsal, each a few edits away from the one before."""

    def __init__(self, seed: int, ports: list[int], folder: Path) -> None:
        self._any = random.Random(seed)
        self._ports = ports
        self._folder = folder
        self._controls: dict[str, list[str]] = {}
        self._peers: dict[str, list[str]] = {}
        self._rest = ["", "", ""]

    def edit(self) -> None:
        """One thing is another."""
        pick = self._any
        match pick.randrange(9):
            case 0 | 1 | 2:
                self._controls[pick.choice(PATHS)] = self._control()
            case 3 if self._controls:
                del self._controls[pick.choice(list(self._controls))]
            case 4 if len(self._controls) > 1:
                one, other = pick.sample(list(self._controls), 2)
                self._controls[one], self._controls[other] = self._controls[other], self._controls[one]
            case 5 | 6:
                self._peers[pick.choice(("max", "pd", "desk"))] = self._peer()
            case 7 if self._peers:
                del self._peers[pick.choice(list(self._peers))]
            case _:
                at = pick.randrange(3)
                self._rest[at] = pick.choice((
                    ("", '[[page]]\nname = "Two"\nlayout = "strips"\n'),
                    ("", 'pages = "{}"\n'.format(self._folder / "theirs"), 'title = "Other"\n'),
                    ("", '[[access]]\nname = "Anna"\nrole = "control"\npages = ["Two"]\n'),
                )[at])  # fmt: skip

    def forget_luck(self) -> None:
        """What was wrong is not written again."""
        self._any.random()

    def text(self) -> str:
        page, http, access = self._rest
        if "pages" not in http:
            http += f'pages = "{self._folder / "mine"}"\n'
        parts = [f'[http]\nhost = "127.0.0.1"\nport = 0\nannounce = false\n{http}']
        named = "\n".join("\n".join(lines) for lines in self._controls.values())
        parts.append(page if page or 'pages = ["Two"]' not in named + access else '[[page]]\nname = "Two"\n')
        parts.append(access)
        for number, (name, lines) in enumerate(sorted(self._peers.items())):
            listen = f'listen = "127.0.0.1:{self._ports[number]}"'  # who comes before moves on: they swap
            parts.append("\n".join(["[[osc]]", f'name = "{name}"', listen, *lines]))
        for path, lines in self._controls.items():
            bound = [f"[control.osc.{name}]\n{self._binding(path)}" for name in self._peers if name in lines[-1]]
            parts.append("\n".join(["[[control]]", f'path = "{path}"', *lines, *bound]))
        return "\n".join(parts) + "\n"

    def _control(self) -> list[str]:
        pick = self._any
        lines = [pick.choice(KINDS_OF).format(n=pick.choice((1, 5, 10)))]
        lines += pick.sample(['label = "L"', 'pages = ["Two"]', 'group = "G"', 'hold = "first"', 'unit = "dB"'], 2)
        if lines[0].startswith(("range", 'kind = "int"')):
            lines += pick.choice(([], ["default = 1"], ['on_start = "default"']))
        return [*lines, "# " + " ".join(pick.sample(("max", "pd", "desk"), pick.randrange(3)))]

    def _binding(self, path: str) -> str:
        return f'address = "/{self._any.choice(("x", "y"))}{path}"'

    def _peer(self) -> list[str]:
        pick = self._any
        more = ["mirror = false", 'prefix = "/p"', "rate = 100", 'on_connect = "push"', "flood = 500"]
        return [f'send = ["127.0.0.1:{self._ports[3]}"]', *pick.sample(more, pick.randrange(3))]


def load(file: Path, text: str) -> Any:
    file.write_text(text)
    return loading.load(file, KINDS)


def seen(bridge: Bridge) -> dict[str, Any]:
    """All that can be told of a bridge from outside, but for values and ids."""
    controls = {
        entry.path: entry.control for entry in bridge.store if entry.control.owner != "page" and entry.path != CONFIG
    }
    pages = {entry.path for entry in bridge.store if entry.control.owner == "page"}
    ways: dict[str, Any] = {}
    for port in bridge.ports:
        assert isinstance(port, OscPort)
        for peer in port._peers:
            ways[peer.name] = {
                "settings": peer.settings,
                "heard": sorted(at for at in peer.routes.addresses if at.removeprefix("/p") not in pages),
                "said": {
                    routes[0].entry.path: [route.packet(_some(route.entry)) for route in routes]
                    for routes in peer.routes.speakers.values()
                    if routes[0].entry.control.owner != "page"
                },
                "to": [target.shown for target in peer.targets],
                "open": (peer.is_open, peer.listening),
            }
    return {
        "controls": controls,
        "surface": bridge.store.surface,
        "ways": ways,
        "health": sorted(peer["name"] for peer in bridge.health()["peers"]),
        "pages": pages,
        "views": sorted(bridge.config.access),
        "loops": len(bridge._presence._peers),
    }


def _some(entry: Any) -> Any:
    return () if entry.value is None else entry.control.default


def move(bridge: Bridge, pick: random.Random) -> None:
    """Somebody plays: a few controls move."""
    for entry in list(bridge.store):
        control = entry.control
        if entry.path not in PATHS or pick.random() < 0.3:
            continue
        raw: Any = pick.random()
        if control.kind == "vector":
            raw = [pick.random() for _ in range(control.size)]
        elif control.kind in ("choice", "string"):
            raw = pick.choice(control.choices or ("x", "y"))
        elif control.kind == "trigger":
            bridge.store.trigger(entry, (), HAND, bridge.clock())
            continue
        bridge.store.set(entry, raw, HAND, bridge.clock())


@pytest.mark.parametrize("seed", range(3))
async def test_reloads_lead_where_a_fresh_start_begins(tmp_path: Path, seed: int) -> None:
    for name, most in (("mine", 1), ("theirs", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").write_text(MINE.format("a", most) + MINE.format(name, most))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ports = [*(free_udp_port() for _ in range(3)), ear.getsockname()[1]]
        writer, pick = Writer(seed, ports, tmp_path), random.Random(seed)
        file = tmp_path / "config.toml"
        taken, last = 0, ""
        first = await asyncio.to_thread(load, file, writer.text())
        async with Bridge(first, state=None) as bridge:
            for step in range(STEPS):
                move(bridge, pick)
                before = {entry.path: (entry.id, entry.control, entry.value) for entry in bridge.store}
                good, was = copy.deepcopy(writer), seen(bridge)
                for _ in range(pick.randrange(1, 5)):
                    writer.edit()
                text = writer.text()
                await asyncio.to_thread(file.write_text, text)
                if (await bridge.reload()).problems:
                    assert seen(bridge) == was, "a wrong file changes nothing"
                    writer = good
                    writer.forget_luck()
                    continue
                taken, last = taken + 1, text
                for path, (number, control, value) in before.items():
                    entry = bridge.store.find(path)
                    if entry is None or not is_same_thing(control, entry.control) or path.startswith("/stagebridge"):
                        continue
                    assert entry.id == number, (step, path)
                    if value is not None and entry.is_logged and not entry.control.momentary:
                        try:
                            kept = entry.control.coerce(value)
                        except ValueError:
                            kept = entry.control.default
                        assert entry.value == kept, (step, path, control, entry.control)
                got = seen(bridge)
            assert taken > STEPS // 3
        async with Bridge(await asyncio.to_thread(load, file, last), state=None) as fresh:
            wanted = seen(fresh)
    for name, part in wanted.items():
        if name == "pages":
            assert got[name] >= part  # whoever has a page open that is no more moves it
        else:
            assert got[name] == part, name
